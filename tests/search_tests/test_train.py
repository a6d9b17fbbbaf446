"""``train``: to a model folder, continued bit for bit, finished once, and every mistake refused in one line."""

from __future__ import annotations

import dataclasses
import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

import search
from evaluators.tasks import rules_of
from evaluators.training.divergence import NonFiniteLossError
from evaluators.training.plan import LEARNING_RATE
from evaluators.training.trainer import Trainer
from search.api.training import TrainingFailedError
from search.cli import main
from search.experiments import sessions, training_steps
from search.experiments.curve import CURVE_FILE, read_points
from search.experiments.train_folder import SETTINGS_FILE
from search.experiments.train_request import parse_steps
from search.experiments.training import CHECKPOINT_FILE, RECORD_FILE, TrainingRecord
from search.experiments.training_messages import StepTimed
from search.models.folder import read_model
from search.storage.artifacts import LocalArtifacts
from search.workers import resumable
from space.build import build
from space.errors import UserError
from space.search_space import BACKBONE, SearchSpace
from space.tasks import TASKS
from tests.in_process_workers import InProcessWorkers

STEPS = 12
SETTINGS = ["--scale", "2", "--batch", "2", "--patch", "16", "--data", "train", "--val-data", "test"]
COMMAND = ["train", "ecbsr-m4c8", *SETTINGS, "--precision", "fp32", "--validate-every", "4"]


@pytest.fixture
def here(root: Path, monkeypatch) -> Path:
    """In ``root``, with trainings in this process."""
    monkeypatch.chdir(root)
    monkeypatch.setattr(sessions, "ProcessWorkers", InProcessWorkers)
    return root


def trained(out: str, *more: str, steps: int = STEPS) -> int:
    return main([*COMMAND, "--steps", str(steps), "--out", out, *more])


def record_of(folder: Path) -> TrainingRecord:
    record = TrainingRecord.read(LocalArtifacts(folder))
    assert record is not None
    return record


def assert_one_line(capsys, status: int, part: str, expected: int = 2) -> None:
    error = capsys.readouterr().err
    assert status == expected, error
    assert error.startswith("error: ")
    assert error.count("\n") == 1, error
    assert part in error


def without_times(folder: Path) -> list[tuple]:
    return [(p.step, p.loss, p.learning_rate, p.psnr_db) for p in read_points(folder / CURVE_FILE)]


# To the end.


def test_it_leaves_a_model_folder_with_curve_and_page(here: Path, capsys) -> None:
    shutil.copytree(here / "test", here / "sets" / "more" / "HR")
    Image.open(here / "test" / "d.png").rotate(180).crop((0, 0, 64, 64)).save(here / "sets" / "more" / "HR" / "d.png")
    assert trained("model", "--test", "more/HR", "--data-root", "sets") == 0
    out = capsys.readouterr().out
    assert "ecbsr-m4c8 for sr ×2 of Y, 12 steps, from random weights of seed 0" in out
    assert "step 12 of 12" in out
    assert "validation: PSNR on Y" in out
    assert "more/HR: PSNR on Y" in out
    folder = here / "model"
    model = read_model(folder)
    assert model.has_weights
    assert model.facts["training"]["steps"] == STEPS
    record = record_of(folder)
    assert record.validation is not None
    assert record.validation.start_psnr_db is None
    assert set(record.results) == {"more/HR"}
    points = read_points(folder / CURVE_FILE)
    assert [point.step for point in points] == list(range(STEPS + 1))
    assert [point.step for point in points if point.psnr_db is not None] == [0, 4, 8, 12]
    assert points[-1].psnr_db == record.validation.psnr_db
    rates = [point.learning_rate for point in points]
    assert rates[0] == rates[1] == LEARNING_RATE  # too short for a warm-up
    assert rates[1:] == sorted(rates[1:], reverse=True)
    assert rates[-1] < 0.02 * rates[1]
    page = (folder / "report.html").read_text()
    assert "Before and after" in page
    assert "trained to the end: 12 steps" in page
    assert f"{record.validation.psnr_db:.3f}" in page
    assert not (folder / "data").exists()


def test_it_is_finished_once(here: Path, capsys) -> None:
    assert trained("model", steps=2) == 0
    before = {path: path.stat().st_mtime_ns for path in (here / "model").iterdir()}
    capsys.readouterr()
    assert trained("model", steps=2) == 0
    assert "This training is finished: model/report.html" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (here / "model").iterdir()} == before
    assert_one_line(
        capsys, trained("model", steps=4), "--steps must stay 2, with which the training in model was begun, got 4; its"
    )
    assert trained("model", "--overwrite", steps=4) == 0
    assert record_of(here / "model").training.steps == 4


def test_it_starts_from_the_weights_of_a_model_folder(here: Path, capsys) -> None:
    assert trained("first", "--rate", "0.01") == 0
    last = record_of(here / "first").validation
    again = ["train", "first", "--steps", "2", "--out", "second", *SETTINGS[2:], *COMMAND[-4:], "--json"]
    capsys.readouterr()
    assert main(again) == 0
    figures = json.loads(capsys.readouterr().out)
    record = record_of(here / "second")
    assert record.validation is not None
    assert last is not None
    assert record.validation.start_psnr_db == pytest.approx(last.psnr_db)
    assert figures["results"]["validation"]["start_psnr_db"] == record.validation.start_psnr_db
    assert read_points(here / "second" / CURVE_FILE)[0].psnr_db == pytest.approx(last.psnr_db)
    page = (here / "second" / "report.html").read_text()
    assert "over what it started from" in page or "of what it started from" in page
    assert ">before<" in page


def test_a_users_own_module_is_trained(here: Path, monkeypatch) -> None:
    (here / "own_net.py").write_text(
        "from torch import nn\n"
        "def make():\n"
        "    return nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))\n"
    )
    monkeypatch.syspath_prepend(str(here))
    trained = search.train(
        "own_net:make", task="sr", scale=2, steps=2, batch=2, patch=16, data="train", val_data="test",
        out="own", precision="fp32", progress=False,
    )  # fmt: skip
    assert trained.record is not None
    assert trained.record.params == 12 * 3 * 9 + 12
    assert trained.record.validation.start_psnr_db is not None
    assert trained.network()(torch.rand(1, 3, 8, 8)).shape == (1, 3, 16, 16)


@pytest.mark.long
def test_a_network_of_a_run_is_trained_by_its_number(here: Path) -> None:
    run = search.run(
        task="sr", scale=2, budget="4k-params", trials=1, rungs=(2,), workers=1, train_data="train", val_data="test",
        run_dir="runs/mine", progress=False,
    )  # fmt: skip
    number = run.best().trial
    assert main(["train", "mine", str(number), *SETTINGS[2:], "--steps", "2", "--out", "a"]) == 0
    record = record_of(here / "a")
    assert record.training.name == f"mine#{number}"
    assert record.training.architecture == run.best().architecture
    assert record.validation.start_psnr_db == pytest.approx(run.best().rungs[-1].psnr_db, abs=1e-4)


def test_noise_range_specialists_are_trained_in_turn(here: Path) -> None:
    rules = rules_of("denoise", options={"sigma": [0.0, 50.0]})
    space = SearchSpace(TASKS["denoise"], dataclasses.replace(rules.shape, specialists=2))
    first = space.fill(lambda parameter: parameter.values[0], {BACKBONE: "plain", "specialists": 2})
    architecture = space.decode(first)
    before = build(architecture, torch.Generator().manual_seed(0))
    search.write_model("many", search.Model("many", before, rules, architecture, True))
    trained = search.train(
        "many", steps=2, batch=2, patch=16, data="train", val_data="test", out="all", precision="fp32", progress=False
    )
    assert trained.record is not None
    assert trained.record.validation.start_psnr_db is not None
    for old, new in zip(before.networks, trained.network().networks, strict=True):
        assert any(not torch.equal(a, b) for a, b in zip(old.parameters(), new.parameters(), strict=True))


def test_steps_are_fitted_to_the_time(here: Path, monkeypatch, capsys) -> None:
    """And stay what they are when it is continued, however fast steps are then."""
    monkeypatch.setattr(training_steps, "TIMED_S", 0.0)
    timed = sessions.time_steps

    def known(*arguments: object) -> StepTimed:
        return dataclasses.replace(timed(*arguments), step_s=1.0, validation_s=0.5)

    monkeypatch.setattr("search.api.training.time_steps", known)
    command = [*COMMAND[:-2], "--time", "30s", "--out", "timed"]
    with monkeypatch.context() as patched:
        end_at(patched, 6)  # after those by which a step is timed
        assert main(command) == 130
    assert "30 s carry 18 steps, at 1 s a step as measured" in capsys.readouterr().out
    assert main(command) == 0
    assert "carry" not in capsys.readouterr().out
    assert record_of(here / "timed").training.steps == 18


def test_a_time_that_carries_no_training_is_refused(here: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr("search.api.training.time_steps", lambda *_: StepTimed(0, step_s=1.0, validation_s=1.0))
    assert_one_line(
        capsys, main([*COMMAND, "--time", "9s", "--out", "a"]), "--time must carry at least 10 steps of 1 s"
    )


# Continued.


def end_at(monkeypatch, step: int) -> None:
    """The process ends before ``step`` is made, without saving anything."""
    make = Trainer._train_step

    def ending(trainer: Trainer) -> torch.Tensor:
        if trainer.step == step - 1:
            raise KeyboardInterrupt
        return make(trainer)

    monkeypatch.setattr(Trainer, "_train_step", ending)


def test_it_continues_bit_for_bit(here: Path, monkeypatch, capsys) -> None:
    assert trained("whole") == 0
    for step in (7, 12):
        with monkeypatch.context() as patched:
            end_at(patched, step)
            assert trained("pieces") == 130
        assert (here / "pieces" / CHECKPOINT_FILE).exists()
    capsys.readouterr()
    assert trained("pieces") == 0
    assert "; continuing" in capsys.readouterr().out
    assert without_times(here / "whole") == without_times(here / "pieces")
    ours, theirs = (read_model(here / name).network.state_dict() for name in ("whole", "pieces"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_training_of_an_older_program_goes_on_with_its_rate_and_optimizer(here: Path, monkeypatch, capsys) -> None:
    """Whose folder does not say the optimizer, for there was one."""
    older = ["--rate", "0.002", "--optimizer", "adam"]
    assert trained("whole", *older) == 0
    with monkeypatch.context() as patched:
        end_at(patched, 7)
        assert trained("a", *older) == 130
    path = here / "a" / SETTINGS_FILE
    stored = json.loads(path.read_text())
    del stored["said"]["optimizer"]
    stored["training"]["plan_changes"] = {"batch": 2, "patch_px": 16, "warmup_steps": 0}
    for name in ("optimizer", "full_rate_steps"):
        stored["training"]["plan"].pop(name, None)
    path.write_text(json.dumps(stored))
    capsys.readouterr()
    assert_one_line(capsys, trained("a", "--optimizer", "muon"), "--optimizer must stay adam")
    assert trained("a") == 0
    assert record_of(here / "a").training.plan.optimizer == "adam"
    assert without_times(here / "whole") == without_times(here / "a")
    ours, theirs = (read_model(here / name).network.state_dict() for name in ("whole", "a"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_checkpoint_between_two_points_keeps_the_losses(here: Path, monkeypatch) -> None:
    """A point every five steps, a checkpoint every other one, and an end in the middle."""
    monkeypatch.setattr(training_steps, "rows_every", lambda steps: 5)
    assert trained("whole", "--validate-every", "12") == 0
    ticks = itertools.count()
    monkeypatch.setattr(resumable, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    monkeypatch.setattr(resumable, "SAVE_EVERY_S", 2)
    with monkeypatch.context() as patched:
        end_at(patched, 8)
        assert trained("pieces", "--validate-every", "12") == 130
    assert [point.step for point in read_points(here / "pieces" / CURVE_FILE)] == [0, 5]
    assert trained("pieces", "--validate-every", "12") == 0
    assert [row[0] for row in without_times(here / "whole")] == [0, 5, 10, 12]
    assert without_times(here / "whole") == without_times(here / "pieces")


def test_a_page_that_fails_costs_no_training(here: Path, monkeypatch, capsys) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "model")

    with monkeypatch.context() as patched:
        patched.setattr("search.api.trained.write_model", full)
        assert_one_line(capsys, trained("model"), "No space left on device", expected=1)
    assert (here / "model" / RECORD_FILE).exists()
    with monkeypatch.context() as patched:
        end_at(patched, 1)
        assert trained("model") == 0
    read_model(here / "model")


def test_a_full_disk_amid_training_loses_nothing(here: Path, monkeypatch, capsys) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    assert trained("whole") == 0
    with monkeypatch.context() as patched:
        end_at(patched, 7)
        trained("a")
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "save", full)
        assert_one_line(capsys, trained("a"), "No space left on device", expected=1)
    assert trained("a") == 0
    assert without_times(here / "whole") == without_times(here / "a")


def test_a_network_that_diverges_is_told_with_its_step(here: Path, monkeypatch, capsys) -> None:
    def diverging(trainer: Trainer) -> torch.Tensor:
        if trainer.step == 6:
            raise NonFiniteLossError("the loss", 7)
        return make(trainer)

    make = Trainer._train_step
    monkeypatch.setattr(Trainer, "_train_step", diverging)
    status = trained("a")
    assert_one_line(capsys, status, "the loss is not finite at training step 7; the checkpoint of step 4 stays", 1)
    with pytest.raises(TrainingFailedError, match="step 7"):
        search.train("ecbsr-m4c8", scale=2, batch=2, patch=16, data="train", val_data="test", steps=STEPS,
                     validate_every=4, precision="fp32", out="a", progress=False)  # fmt: skip


def test_another_setting_is_refused(here: Path, monkeypatch, capsys) -> None:
    with monkeypatch.context() as patched:
        end_at(patched, 7)
        trained("a")
    for more, part in (
        (["--rate", "0.001"], f"--rate must stay {LEARNING_RATE}, with which the training in a was begun, got 0.001"),
        (["--optimizer", "adam"], "--optimizer must stay muon"),
        (["--optimizer", "sgd"], "--optimizer must be one of muon, adam, got 'sgd'"),
        (["--seed", "1"], "--seed must stay 0"),
        (["--batch", "4"], "--batch must stay 2"),
        (["--data", "embedded"], "--data must stay train"),
        (["--from-scratch"], ""),
    ):
        if part:
            assert_one_line(capsys, trained("a", *more), part)
    assert_one_line(capsys, trained("a", steps=24), "its rate falls to zero at its last step, so that it cannot be")
    (here / "train" / "a.png").unlink()
    capsys.readouterr()
    assert_one_line(capsys, trained("a"), "training data must stay what ecbsr-m4c8 was begun with", expected=1)


def on_one_core() -> None:
    """So that a step takes one thread, whatever else the machine does."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@pytest.mark.long
def test_a_kill_costs_nothing_but_time(root: Path) -> None:
    """The whole group of processes, in the middle, twice; then the weights of a training that nobody killed."""
    command = [sys.executable, "-m", "search", *COMMAND, "--steps", "120", "--validate-every", "30"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}

    def begun(out: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*command, "--out", out],
            cwd=root,
            env=environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            preexec_fn=on_one_core,
        )

    assert begun("whole").wait() == 0
    checkpoint = root / "killed" / CHECKPOINT_FILE
    for _ in range(2):
        before = checkpoint.stat().st_mtime_ns if checkpoint.exists() else None
        process = begun("killed")
        while process.poll() is None and (not checkpoint.exists() or checkpoint.stat().st_mtime_ns == before):
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert not (root / "killed" / RECORD_FILE).exists()
    assert begun("killed").wait() == 0
    ours, theirs = (read_model(root / name).network.state_dict() for name in ("whole", "killed"))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert without_times(root / "whole") == without_times(root / "killed")


# Event files.


def test_event_files_have_the_points_of_the_curve(here: Path) -> None:
    reading = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert trained("model", "--tensorboard") == 0
    (file,) = (here / "model").glob("events.out.tfevents.*")
    events = reading.EventAccumulator(str(file)).Reload()
    points = read_points(here / "model" / CURVE_FILE)
    losses = {event.step: event.value for event in events.Scalars("loss")}
    assert losses == pytest.approx({point.step: point.loss for point in points if point.loss is not None})
    validated = [event.step for event in events.Scalars("validation_psnr_db")]
    assert validated == [0, 4, 8, 12]
    read_model(here / "model")


def test_event_files_need_their_extra(here: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert_one_line(capsys, trained("a", "--tensorboard"), "pip install 'litefront[tensorboard]'")
    assert not (here / "a").exists()


# Mistakes.


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--steps", "0"], "--steps must be a whole number of at least 1, such as 2000, 50k or 1M, got '0'"),
        (["--steps", "many"], "got 'many'"),
        (["--steps", "0.5"], "got '0.5'"),
        (["--steps", "2", "--time", "1m"], "train takes --steps or --time, got both"),
        (["--time", "soon"], "got 'soon'"),
        (["--steps", "2", "--rate", "2"], "--rate must be a number above 0 and below 1, got '2'"),
        (["--steps", "2", "--batch", "0"], "--batch must be a whole number of at least 1, got '0'"),
        (["--steps", "2", "--data", "nowhere"], "image folder must exist, got nowhere"),
        (["--steps", "2", "--data", "empty"], "image folder must hold images, got none in empty"),
        (["--steps", "2", "--patch", "33"], "a training picture must be at least as large as a patch of 33 pixels"),
        (["--steps", "2", "--val-data", "train"], "training data must not hold pictures of a test set"),
        (["--steps", "2", "--test", "Set5/HR"], "give --data-root"),
        (["--steps", "2", "--task", "denoise"], "--task of ecbsr-m4c8 must be sr, got denoise"),
        (["--steps", "2", "--task", "sharpen"], "--task must be one of"),
        (["--steps", "2", "--sigma", "25"], "--sigma is an option of"),
        (["--steps", "2", "--channels", "colour"], "--channels of ecbsr-m4c8 must be y, got colour"),
        (["--steps", "2", "--weights", "other.safetensors"], "other.safetensors"),
        (["--steps", "2", "--out", "empty/a.txt"], "must be a new folder or one of train"),
        (["--steps", "2", "--out", "train"], "must be a new folder or one of train, got train, something else"),
        (["--steps", "2", "--device", "tpu"], "got 'tpu'"),
        (["--steps", "2", "--validate-every", "0"], "--validate-every"),
    ],
)
def test_mistakes_are_one_line(here: Path, capsys, arguments: list[str], part: str) -> None:
    (here / "empty").mkdir()
    (here / "empty" / "a.txt").touch() if "empty/a.txt" in arguments else None
    before = sorted(here.rglob("*"))
    assert_one_line(capsys, main(["train", "ecbsr-m4c8", *SETTINGS, *arguments]), part)
    assert sorted(here.rglob("*")) == before


@pytest.mark.parametrize(
    ("network", "more", "part"),
    [
        ("no-such-network", [], "unknown network"),
        ("nowhere_net:make", [], "give --task"),
        ("odd_net:make", ["--task", "sr", "--scale", "2"], "must give (1, 3, 64, 64)"),
        ("odd_net:make", ["--task", "sr", "--scale", "2", "--channels", "y"], "must take (1, 1, 32, 32)"),
        ("net.pt2", [], "a graph that is fixed"),
    ],
)
def test_networks_that_cannot_be_trained_are_one_line(
    here: Path, monkeypatch, capsys, network: str, more: list[str], part: str
) -> None:
    (here / "odd_net.py").write_text("from torch import nn\ndef make():\n    return nn.Conv2d(3, 3, 1)\n")
    monkeypatch.syspath_prepend(str(here))
    assert_one_line(capsys, main(["train", network, *more, "--steps", "2"]), part)
    assert not (here / "runs").exists()


def test_weights_of_another_network_are_refused(here: Path, capsys) -> None:
    assert trained("model", steps=1) == 0
    capsys.readouterr()
    command = ["train", "fsrcnn", "--weights", "model/model.safetensors", "--scale", "2", "--steps", "1"]
    assert_one_line(capsys, main(command), "model.safetensors must be of fsrcnn")


@pytest.mark.parametrize(("text", "steps"), [("2000", 2000), ("50k", 50_000), ("1.5M", 1_500_000), (" 3K ", 3000)])
def test_steps_may_have_a_suffix(text: str, steps: int) -> None:
    assert parse_steps(text) == steps


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1e3", "k", "0k", "2g", "9999999M"])
def test_other_steps_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="--steps must be"):
        parse_steps(text)


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(UserError, match="got 'step'; nearest: steps"):
        search.train("ecbsr-m4c8", step=4)
