"""A request from options: words of the command line and plain Python values mean the same."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from search.cli.options.run import add_options
from search.cli.run import request_of
from search.records import KEPT, RunSettings, Wanted
from search.request.options import RUN_OPTIONS, option_texts
from search.request.request import request_from_options
from space.command_line import Parser
from space.errors import UserError

SR = {"task": "sr", "budget": "200k-params", "workers": 1}


def test_defaults_are_those_of_the_command_line() -> None:
    request = request_from_options(**SR)
    assert request.folder == Path("runs/sr-x4-200k-params")
    assert (request.time_s, request.trials, request.rungs, request.specialists) == (600, None, None, None)
    assert request.wanted == Wanted(
        task="sr",
        scale=4,
        options={"channels": "colour"},
        budget="200k-params",
        objectives=("psnr", "macs"),
        input_size=(320, 180),
        sampler="surrogate",
        seed=0,
        evaluator="shared",
        workers=1,
    )
    parser = Parser()
    add_options(parser)
    typed = request_of(parser.parse_args(["--task", "sr", "--budget", "200k-params", "--workers", "1"]))
    assert replace(typed, command="") == request


@pytest.mark.parametrize(
    ("task", "plain", "word"),
    [
        ("sr", {"trials": 20}, {"trials": "20"}),
        ("sr", {"input": (64, 36)}, {"input": "64x36"}),
        ("sr", {"scale": 2}, {"scale": "2"}),
        ("sr", {"time": 90.0}, {"time": "90s"}),
        ("sr", {"rungs": [10, 30]}, {"rungs": "10,30"}),
        ("sr", {"objective": ["psnr", "params", "memory"]}, {"objective": "psnr,params,memory"}),
        ("sr", {"networks": ["imdn", "smfanet"]}, {"networks": "imdn,smfanet"}),
        ("sr", {"latency": ["pixel4-a76", "a03s-a53"]}, {"latency": "pixel4-a76,a03s-a53"}),
        ("sr", {"run_dir": Path("there")}, {"run_dir": "there"}),
        ("sr", {"seed": 3, "device": None}, {"seed": "3"}),
        ("denoise", {"sigma": (0, 50)}, {"sigma": "0-50"}),
        ("denoise", {"sigma": 15.0}, {"sigma": "15"}),
    ],
)
def test_a_plain_value_means_its_word(task: str, plain: dict[str, object], word: dict[str, object]) -> None:
    with_plain, with_word = (request_from_options(**{**SR, "task": task, **each}) for each in (plain, word))
    assert with_plain == with_word


def test_a_limit_of_trials_needs_no_time() -> None:
    assert request_from_options(**SR, trials=5).time_s is None
    assert request_from_options(**SR, trials=5, time="1h").time_s == 3600


def test_an_unknown_option_is_named_with_the_nearest() -> None:
    with pytest.raises(UserError, match="got 'sedd'; nearest: seed"):
        request_from_options(**SR, sedd=1)
    with pytest.raises(UserError, match="budget must be given"):
        request_from_options(task="sr")


def test_every_option_is_read() -> None:
    """An option without a reader would be taken and mean nothing."""
    source = (Path(__file__).parents[2] / "search" / "request" / "request.py").read_text("utf-8")
    task_options = {option.key for option in RUN_OPTIONS if option.group == "options of the tasks"} - {"scale"}
    unread = {option.key for option in RUN_OPTIONS if f'"{option.key}"' not in source} - task_options
    assert not unread
    assert option_texts(SR)["evaluator"] == "auto"


def test_what_a_run_keeps_is_said_at_each_field() -> None:
    kept = {field.name for field in fields(RunSettings) if field.metadata == KEPT}
    assert kept >= {field.name for field in fields(Wanted)} - {"workers"}
    assert {field.name for field in fields(RunSettings)} - kept == {
        "workers",
        "training",
        "rungs",
        "precision",
        "overlap",
        "environment",
        "created",
        "version",
    }
