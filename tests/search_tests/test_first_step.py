"""Precision of runs and trainings: what a first step shows, what the record says, and how it goes on elsewhere."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from evaluators.tasks import rules_of
from evaluators.training.precision import Precision, choose_precision
from search.api.understood import understood
from search.cli import main
from search.cli.experiments import _checked
from search.experiments.network_specs import named_architecture
from search.experiments.sessions import TrainingSession
from search.experiments.training import Begun, Training, TrainingRecord
from search.experiments.training_jobs import Finished
from search.records import RunSettings
from search.request.budget import parse_budget
from search.request.request import Request, request_from_options
from search.sessions import first_step
from search.sessions import precision as run_precision
from search.sessions.first_step import designs, tried
from search.sessions.precision import checked, precision_for
from search.sessions.session import check_and_read
from search.storage.artifacts import LocalArtifacts
from search.storage.study import Study
from space import TASKS
from space.errors import UserError
from space.layers.image_ends import InputSkip
from tests.search_tests.conftest import settings
from tests.search_tests.short_trainings import CPU, job, run

BF16 = Precision("cpu", "bfloat16", True, "CPU with AMX")
ASKED = choose_precision("cpu", "bf16")
BUDGET = parse_budget("200k-params")
MISSING = "\"compute_index_ranges_weights\" not implemented for 'BFloat16'"


@pytest.fixture
def lacks_bfloat16(monkeypatch) -> None:
    """A machine on which resizing has no bfloat16 form: it fails under autocast only."""
    whole = InputSkip.forward

    def forward(skip: InputSkip, image: torch.Tensor) -> torch.Tensor:
        if torch.is_autocast_enabled("cpu"):
            raise NotImplementedError(MISSING)
        return whole(skip, image)

    monkeypatch.setattr(InputSkip, "forward", forward)


@pytest.fixture
def with_amx(monkeypatch) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)


@pytest.mark.parametrize("name", sorted(TASKS))
def test_both_ends_of_what_a_run_trains_are_tried(name: str) -> None:
    task, rules = TASKS[name], rules_of(name)
    asked = replace(settings(), task=name, scale=rules.scale, options=rules.options)
    chosen = designs(task, asked, BUDGET)
    assert {arch.backbone for arch in chosen} >= set(task.backbones)
    widths = [arch.settings.width for arch in chosen if arch.backbone in task.backbones]
    assert min(widths) <= 8
    assert max(widths) > 16
    skips = {arch.ends.input_skip if arch.ends else "none" for arch in chosen}
    assert skips >= {"sr": {"none", "bicubic"}, "inpaint": {"push-pull"}}.get(name, {"identity"})
    assert tried(replace(BF16, asked=True), ((arch, rules) for arch in chosen)) == (replace(BF16, asked=True), None)


def test_a_tight_budget_leaves_the_narrowest_to_try() -> None:
    chosen = designs(TASKS["sr"], settings(), parse_budget("1-params"))
    assert [arch.settings.width for arch in chosen] == [8] * len(TASKS["sr"].backbones)


SKIPPING = ((named_architecture("s-lwsr16+skip:width=8", 4), rules_of("sr", 4)),)


def test_what_fails_in_bfloat16_alone_is_trained_in_float32(lacks_bfloat16) -> None:
    found, line = tried(BF16, SKIPPING)
    assert found.name == "fp32"
    assert line.startswith("training in float32: a first step of symmetric in bfloat16 failed (NotImplementedError: ")
    assert MISSING in line
    assert "\n" not in line
    assert MISSING in found.reason
    assert found.reason.endswith("CPU with AMX")


def test_what_fails_in_any_precision_is_left_to_those_who_train(monkeypatch) -> None:
    def broken(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(first_step, "_step", broken)
    assert tried(BF16, SKIPPING) == (BF16, None)


@pytest.mark.parametrize(("dies_in", "word"), [({"bfloat16"}, "fp32"), ({"bfloat16", None}, "bf16"), (set(), "bf16")])
def test_a_processor_that_lacks_an_instruction_ends_no_search(
    dies_in: set[str | None], word: str, monkeypatch, tmp_path: Path
) -> None:
    """The steps' own process dies of SIGILL, as one does that multiplies bfloat16 where that is not there."""
    child = (
        "import os, pickle, sys; precision, networks = pickle.load(sys.stdin.buffer)\n"
        f"if precision.autocast in {dies_in!r}: os.kill(os.getpid(), 4)"
    )
    monkeypatch.setattr(first_step, "CHILD", child)
    monkeypatch.setattr(first_step, "_survived", set())
    found, line = tried(BF16, SKIPPING)
    assert found.name == word
    if word == "fp32":
        assert line == "training in float32: a process that made first steps in bfloat16 ended (SIGILL)"
        assert first_step._survived == {"None"}
    else:
        assert line is None


def test_a_process_without_end_is_as_one_that_dies(monkeypatch) -> None:
    monkeypatch.setattr(first_step, "CHILD", "import sys, time; sys.stdin.buffer.read(); time.sleep(60)")
    monkeypatch.setattr(first_step, "LONGEST_S", 0.5)
    monkeypatch.setattr(first_step, "_survived", {"None"})
    assert tried(BF16, SKIPPING)[1].endswith("(no end after 0.5 s)")


def test_steps_that_survive_are_made_in_a_process_once(monkeypatch) -> None:
    monkeypatch.setattr(first_step, "_survived", set())
    assert tried(replace(BF16, asked=True), SKIPPING)[0].name == "bf16"
    monkeypatch.setattr("subprocess.run", None)
    assert tried(replace(BF16, asked=True), SKIPPING)[0].name == "bf16"


def test_in_float32_nothing_is_tried(monkeypatch) -> None:
    monkeypatch.setattr(first_step, "_step", None)
    assert tried(CPU, SKIPPING) == (CPU, None)


def test_an_error_without_text_is_named_by_its_type(monkeypatch) -> None:
    def step(precision: Precision, *_: object) -> None:
        if precision.autocast:
            raise MemoryError

    monkeypatch.setattr(first_step, "_step", step)
    assert "(MemoryError)" in tried(BF16, SKIPPING)[1]


# A run goes on in the arithmetic in which it was begun.


def begun_in(word: str, **changes: object) -> RunSettings:
    return replace(settings(), precision=choose_precision("cpu", word).to_dict(), **changes)


@pytest.mark.parametrize(("word", "here"), [("fp32", "bf16"), ("bf16", "fp32")])
def test_a_run_continues_in_its_precision_on_another_machine(monkeypatch, word: str, here: str) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: here == "bf16", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False, raising=False)
    assert choose_precision("cpu").name == here
    found, line = precision_for("cpu", "auto", begun_in(word), Path("r"))
    assert found.name == word
    assert line == f"training goes on in {word}, as the run was begun; here it would be {here}"
    assert precision_for("cpu", word, begun_in(word), Path("r"))[0].name == word
    with pytest.raises(UserError, match=f"run r was made with --precision {word}, got {here}; use --run-dir"):
        precision_for("cpu", here, begun_in(word), Path("r"))


def test_a_begun_run_never_falls_back(lacks_bfloat16, monkeypatch) -> None:
    monkeypatch.setattr(run_precision, "designs", lambda *_: (SKIPPING[0][0],))
    with pytest.raises(UserError, match="a run begun in bf16 must go on in it"):
        checked(ASKED, TASKS["sr"], settings(), BUDGET, continues=True)
    assert checked(ASKED, TASKS["sr"], settings(), BUDGET, continues=False)[0].name == "fp32"


def request(folder: Path, **changes: object) -> Request:
    common = {"task": "sr", "budget": BUDGET.text, "trials": 1, "workers": 1, "device": "cpu", "run_dir": folder}
    return request_from_options(**common, **changes)


def test_the_record_of_a_run_says_what_became_of_its_precision(tmp_path: Path, lacks_bfloat16, with_amx) -> None:
    session = check_and_read(request(tmp_path / "run"))
    assert session.precision.name == session.settings.trained_in == "fp32"
    assert MISSING in session.precision_note
    assert f"  {session.precision_note}\n" in understood(session)
    assert MISSING in session.settings.environment["precision"]
    assert session.settings.environment["precision"].startswith("training float32 (")
    (tmp_path / "run").mkdir()
    Study.create(tmp_path / "run", session.settings)
    again = check_and_read(request(tmp_path / "run"))
    assert again.precision_note == "training goes on in fp32, as the run was begun; here it would be bf16"
    assert again.precision == session.precision
    with pytest.raises(UserError, match="was made with --precision fp32, got bf16"):
        check_and_read(request(tmp_path / "run", precision="bf16"))


def test_a_run_that_works_in_bfloat16_stays_in_it(tmp_path: Path, with_amx) -> None:
    session = check_and_read(request(tmp_path / "run"))
    assert (session.precision.name, session.precision_note) == ("bf16", None)
    assert session.settings.environment["precision"] == "training bfloat16 (CPU with AMX), evaluation float32"


@pytest.mark.parametrize(
    "command",
    [
        ["run", "--task", "sr", "--budget", "200k-params"],
        ["reproduce", "fsrcnn"],
        ["ablation", "upsamplers"],
        ["queue", "queue.csv"],
    ],
)
def test_an_unknown_precision_is_one_line(tmp_path: Path, monkeypatch, capsys, command: list[str]) -> None:
    monkeypatch.chdir(tmp_path)
    Path("queue.csv").write_text(
        "network,task,options,protocol,steps,seed,train,test\n"
        "fsrcnn,sr,scale=2 channels=y,short,1,0,embedded,embedded\n"
    )
    assert main([*command, "--precision", "fp16"]) == 2
    assert capsys.readouterr().err.strip() == (
        "error: --precision must be one of auto, fp32, bf16, got 'fp16'; auto takes the fastest"
    )
    assert {path.name for path in tmp_path.iterdir()} == {"queue.csv"}


# Trainings.


def sr_training(name: str = "s-lwsr16+skip:width=8") -> Training:
    return Training(name, named_architecture(name, 4), rules_of("sr", 4), "short", 2, 0, ("embedded",), ("embedded",))


def session(folder: Path, precision: Precision) -> TrainingSession:
    return TrainingSession(folder, None, precision, 1, 1, None, "python -m search test")


def test_a_session_falls_back_with_one_line(tmp_path: Path, lacks_bfloat16) -> None:
    console = Console(file=io.StringIO(), width=80)
    found = _checked([sr_training(), sr_training("s-lwsr16")], session(tmp_path, BF16), console)
    assert found.precision.name == "fp32"
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("training in float32: ")


def test_finished_trainings_of_another_precision_are_told(root: Path) -> None:
    finished = run(root, job(root, "begun"))
    assert isinstance(finished, Finished)
    assert finished.record.trained_in == "fp32"
    training = sr_training()
    record = replace(finished.record, training=training)
    folder = root / "all" / training.folder_name
    folder.mkdir(parents=True)
    record.write(LocalArtifacts(folder))
    for precision, told in ((ASKED, 1), (BF16, 0), (choose_precision("cpu", "fp32"), 0)):
        console = Console(file=io.StringIO(), width=80)
        _checked([training], session(root / "all", precision), console)
        assert console.file.getvalue().count("finished in another precision than bf16") == told


def test_a_training_continues_in_the_precision_it_was_begun_in(root: Path, monkeypatch) -> None:
    monkeypatch.setattr("tests.search_tests.short_trainings.CPU", ASKED)
    run(root, job(root, "begun"), stop_after=3)
    assert Begun.read(LocalArtifacts(root / "begun")).precision == "bf16"
    monkeypatch.setattr("tests.search_tests.short_trainings.CPU", CPU)
    finished = run(root, job(root, "begun"))
    assert finished.record.trained_in == "bf16"
    assert "begun in bf16" in finished.record.environment["precision"]
    assert TrainingRecord.read(LocalArtifacts(root / "begun")).trained_in == "bf16"


def test_an_older_note_of_a_training_begun_has_no_precision(tmp_path: Path) -> None:
    (tmp_path / "begun.json").write_text('{"step": 3, "train_s": 1.0, "train_data": "x"}')
    (tmp_path / "checkpoint.safetensors").touch()
    assert Begun.read(LocalArtifacts(tmp_path)) == Begun(3, 1.0, "x", None)


def test_a_whole_run_in_bfloat16_on_any_processor(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (15, 15, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    Image.fromarray(pixels).save("photos/a.png")
    command = ["run", "--task", "sr", "--scale", "2", "--budget", "20k-params", "--rungs", "2", "--trials", "1"]
    command += ["--workers", "1", "--device", "cpu", "--precision", "bf16"]
    command += ["--train-data", "photos", "--val-data", "photos"]
    assert main(command) == 0
    assert "training in bf16 (asked for; CPU with" in capsys.readouterr().out
    assert "trained in bf16 on folder photos" in Path("runs/sr-x2-20k-params/report.html").read_text()
