"""What the page and the terminal say can be done next, and that it is true."""

import dataclasses
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from evaluators.compression.compression import Compression
from evaluators.quantities import Quantity
from evaluators.training.weights import save_weights
from reports.run.advice import recommended
from reports.run.html import report_html
from reports.run.next_steps import _limit_of, longer, next_steps, python, run_argument, to_the_phone
from reports.run.picking import pick
from search.cli import COMMANDS
from search.request.budget import parse_budget
from space.build import build
from space.command_line import parser_for


@pytest.mark.parametrize(
    ("command", "again"),
    [
        ("python -m search run --task sr --budget 200k-params", " --time 30m"),
        ("python -m search run --task sr --time 10m --seed 1", None),
        ("python -m search run --task sr --time=90s", None),
        ("python -m search run --task sr --trials 40", None),
        ("python -m search run --task sr --run-dir 'my runs/a'", " --time 30m"),
    ],
)
def test_the_same_command_goes_on_for_longer(run, command, again):
    text = longer(dataclasses.replace(run, command=command))
    expected = command + again if again else command.replace("10m", "30m").replace("90s", "270s").replace("40", "120")
    assert text == expected


def test_a_command_that_cannot_be_read_or_is_not_known_is_no_obstacle(run):
    assert longer(dataclasses.replace(run, command="run 'a")) == "run 'a --time 30m"
    unknown = next_steps(dataclasses.replace(run, command=""), Path("runs/demo"))
    assert not any(step.purpose.startswith("Go on") for step in unknown)


def test_a_run_is_called_as_the_command_line_knows_it():
    assert run_argument(Path("runs/demo")) == "demo"
    assert run_argument(Path("/data/my run")) == "/data/my run"


def named_parts(words):
    return shlex.split(" ".join(words))[4:]


def test_an_int8_network_is_exported_in_int8(run):
    trial = recommended(run)
    int8 = dataclasses.replace(trial, compression=Compression(dtype="int8"))
    changed = dataclasses.replace(run, trials=tuple(int8 if each is trial else each for each in run.trials))
    assert "--format litert --dtype int8" in to_the_phone(changed, int8, Path("runs/demo"))["export"]
    assert not any(" compress " in step.text for step in next_steps(changed, Path("runs/demo")))


def test_the_steps_name_the_run_and_the_network_to_take(run):
    """Every command parses, and the budget that is suggested allows the network that is recommended."""
    trial, folder = recommended(run), Path("runs/my demo")
    lines = [line for step in next_steps(run, folder) for line in step.text.splitlines()]
    commands = {words[3]: words for line in lines if (words := line.split())[:3] == ["python", "-m", "search"]}
    known = {"report", "run", "recost", "compare", "pick", "train", "export", "restore", "compress", "confirm"}
    assert known == commands.keys()
    assert named_parts(commands["compress"])[:2] == ["my demo", str(trial.trial)]
    named = {name: shlex.split(" ".join(words))[4:] for name, words in commands.items()}
    assert named["pick"][:2] == ["my demo", "--budget"]
    assert pick(run, named["pick"][2]).trial == trial
    assert named["train"][:2] == named["export"][:2] == ["my demo", str(trial.trial)]
    assert named["restore"][2:] == ["--model", f"my demo#{trial.trial}"]
    assert named["compare"][0] == "my demo"
    known = {command.name: command for command in COMMANDS}
    for name, words in named.items():
        if name in known:
            arguments = [name, *words]
            assert parser_for("python -m search", "", COMMANDS, arguments).parse_args(arguments).command == name


def test_a_suggested_limit_may_be_less_than_a_unit(timed_run, monkeypatch):
    by_ms = dataclasses.replace(timed_run.settings, objectives=("psnr", "ms@board-x1"))
    monkeypatch.setattr(Quantity, "of", lambda self, costs: 0.0434)
    limit = _limit_of(dataclasses.replace(timed_run, settings=by_ms), timed_run.trials[0])
    assert limit == "0.044ms@board-x1"


@pytest.mark.parametrize("key", ["params", "macs", "memory", "weights", "ms@board-x1"])
def test_a_suggested_limit_is_one_that_pick_can_keep(timed_run, key):
    other = dataclasses.replace(timed_run, settings=dataclasses.replace(timed_run.settings, objectives=("psnr", key)))
    (line,) = (step.text for step in next_steps(other, Path("runs/demo")) if " pick " in step.text)
    limit = line.split()[-1]
    trial = recommended(other)
    assert parse_budget(limit).allows(trial.costs)
    assert 1 <= parse_budget(limit).limits[0].value / trial.cost(key) < 1.1


def test_holes_are_given_to_restore(run):
    holes = dataclasses.replace(run, settings=dataclasses.replace(run.settings, task="inpaint", scale=1))
    assert to_the_phone(holes, recommended(run), Path("runs/demo"))["restore"].endswith(" --mask holes.png")


def test_the_python_loads_the_weights_and_restores_a_photograph(run, tmp_path, monkeypatch):
    trial = recommended(run)
    folder = tmp_path / "it's a run"
    (folder / "weights").mkdir(parents=True)
    network = build(trial.architecture)
    save_weights(folder / "weights" / f"trial-{trial.trial}.safetensors", network, {})
    monkeypatch.setattr("search.api.run.run_folder", Path)
    monkeypatch.setattr("search.api.run.read_run", lambda _: run)
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((24, 32, 3), 90, np.uint8)).save("photograph.png")
    names = {}
    exec(python(run, trial, folder), names)
    assert Image.open("restored.png").size == (128, 96)
    loaded = names["network"].state_dict()
    assert all((value == loaded[name]).all() for name, value in network.state_dict().items())


def test_a_network_that_wants_more_than_a_photograph_is_only_loaded(run):
    trial = recommended(run)
    for task in ("raw-denoise", "inpaint"):
        other = dataclasses.replace(run, settings=dataclasses.replace(run.settings, task=task, scale=1))
        text = python(other, trial, Path("runs/demo"))
        compile(text, "snippet", "exec")
        assert "run.network(" in text
        assert "photograph" not in text


def test_the_page_ends_with_next_steps_only_in_its_run_s_folder(run):
    page = report_html(run, folder=Path("runs/demo"))
    assert "What to do next" in page
    for step in next_steps(run, Path("runs/demo")):
        assert step.text.splitlines()[0].replace("'", "&#39;") in page
    for other in (report_html(run), report_html(run, folder=Path("runs/demo"), is_brief=True)):
        assert "What to do next" not in other
        assert '"weights":"' not in other
