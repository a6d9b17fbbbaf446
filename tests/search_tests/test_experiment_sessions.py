"""Trainings to the end: continued bit for bit, stopped and killed without loss, done once, and refused in one line."""

from __future__ import annotations

import errno
import itertools
import json
import multiprocessing
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from evaluators.training.trainer import Trainer
from evaluators.training.weights import read_state_dict
from search.cli import main
from search.experiments import sessions, training_jobs
from search.experiments.event_lines import EventLines
from search.experiments.queue_file import COLUMNS
from search.experiments.training import CHECKPOINT_FILE, RECORD_FILE, WEIGHTS_FILE, Begun, Training, TrainingRecord
from search.experiments.training_jobs import Finished, TrainingJob, TrainingRunner
from search.sessions import deadline
from search.storage.artifacts import LocalArtifacts
from search.storage.lock import own
from search.workers import resumable
from search.workers.messages import Failed, MachineTrouble, Progress, Stopped
from space.errors import UserError
from tests.in_process_workers import InProcessWorkers
from tests.search_tests.short_trainings import CPU, STEPS, job, run, training


def steps_told(root: Path, what: TrainingJob) -> list[int]:
    told: list[Progress] = []
    TrainingRunner(root, CPU, 1, 1, "python -m search test").run(what, told.append, lambda: False)
    return [progress.step for progress in told]


def assert_same_weights(one: Path, other: Path) -> None:
    ours, theirs = (read_state_dict(folder / WEIGHTS_FILE) for folder in (one, other))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def run_until_killed(root: Path, at_step: int) -> None:
    """Make a checkpoint every other step, and end as ``kill -9`` ends a process, after ``at_step`` steps."""
    ticks = itertools.count()
    resumable.time = SimpleNamespace(monotonic=lambda: next(ticks))
    resumable.SAVE_EVERY_S = 2

    def die(progress: Progress) -> None:
        if progress.step == at_step:
            os.kill(os.getpid(), signal.SIGKILL)

    TrainingRunner(root, CPU, 1, 1, "python -m search test").run(job(root, "killed"), die, lambda: False)


# One training.


def test_a_stopped_training_continues_bit_for_bit(root: Path) -> None:
    whole = run(root, job(root, "whole"))
    assert isinstance(whole, Finished)
    assert isinstance(run(root, job(root, "pieces"), stop_after=3), Stopped)
    assert Begun.read(LocalArtifacts(root / "pieces")).step == 3
    assert isinstance(run(root, job(root, "pieces"), stop_after=2), Stopped)
    assert Begun.read(LocalArtifacts(root / "pieces")).step == 5
    pieces = run(root, job(root, "pieces"))
    assert_same_weights(root / "whole", root / "pieces")
    assert pieces.record.results == whole.record.results
    assert {path.name for path in (root / "pieces").iterdir()} == {RECORD_FILE, WEIGHTS_FILE}


def test_a_killed_training_continues_bit_for_bit(root: Path) -> None:
    run(root, job(root, "whole"))
    process = multiprocessing.get_context("spawn").Process(target=run_until_killed, args=(root, 6))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert Begun.read(LocalArtifacts(root / "killed")).step == 4
    assert steps_told(root, job(root, "killed")) == [5, 6, 7, 8]
    assert_same_weights(root / "whole", root / "killed")


def test_the_time_limit_leaves_a_checkpoint(root: Path, monkeypatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert isinstance(run(root, job(root, "timed", left_s=4)), Stopped)
    assert 1 <= Begun.read(LocalArtifacts(root / "timed")).step < STEPS
    assert (root / "timed" / CHECKPOINT_FILE).exists()


def test_a_damaged_checkpoint_starts_over(root: Path) -> None:
    run(root, job(root, "a"), stop_after=3)
    (root / "a" / CHECKPOINT_FILE).write_bytes(b"rubbish")
    assert steps_told(root, job(root, "a")) == list(range(1, STEPS + 1))


def test_a_break_while_measuring_costs_only_the_measuring(root: Path, monkeypatch) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(training_jobs, "evaluate", breaks)
        assert isinstance(run(root, job(root, "a")), Failed)
    assert TrainingRecord.read(LocalArtifacts(root / "a")).results == {}
    assert steps_told(root, job(root, "a")) == []
    assert set(TrainingRecord.read(LocalArtifacts(root / "a")).results) == {"test"}


def test_stopped_while_measuring_it_keeps_the_sets_that_are_done(root: Path) -> None:
    run(root, job(root, "a"))
    more = job(root, "a", training(test=("test", "train:2")))
    asked = itertools.count(1)  # once before each of the three pictures
    stopped = TrainingRunner(root, CPU, 1, 1, "command").run(more, lambda _progress: None, lambda: next(asked) == 3)
    assert isinstance(stopped, Stopped)
    assert next(asked) == 4
    record = TrainingRecord.read(LocalArtifacts(root / "a"))
    assert set(record.results) == {"test"}
    assert record.lacks(more.training) == ("train:2",)
    assert steps_told(root, more) == []
    assert TrainingRecord.read(LocalArtifacts(root / "a")).lacks(more.training) == ()


def test_other_training_data_do_not_continue_a_training(root: Path) -> None:
    run(root, job(root, "a"), stop_after=3)
    answer = run(root, job(root, "a", train_data="four pictures"))
    assert isinstance(answer, Failed)
    assert "begun with (three pictures), got four pictures" in answer.reason
    assert Begun.read(LocalArtifacts(root / "a")).step == 3


def test_a_full_disk_is_not_the_trainings_fault(root: Path, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Trainer, "save", full)
    answer = run(root, job(root, "a"))
    assert isinstance(answer, MachineTrouble)
    assert "No space left" in answer.reason


def test_a_record_comes_back_as_it_was_written(root: Path) -> None:
    record = run(root, job(root, "a")).record
    assert TrainingRecord.read(LocalArtifacts(root / "a")) == record
    result = record.results["test"]
    assert result.images == 1
    assert result.data.startswith("test: folder test, 1 images, ")
    assert result.psnr_db != result.baseline_psnr_db
    assert record.train_s > 0
    assert record.training == training()
    for text in ("[]", "7", "{", '{"version": 1}', (root / "a" / RECORD_FILE).read_text().replace("seed", "sead")):
        (root / "a" / RECORD_FILE).write_text(text)
        with pytest.raises(UserError, match="must be a training's record"):
            TrainingRecord.read(LocalArtifacts(root / "a"))
    (root / "a" / RECORD_FILE).write_text(json.dumps({"version": 1}))
    with pytest.raises(UserError, match="version 1 instead of 2"):
        TrainingRecord.read(LocalArtifacts(root / "a"))


def test_a_further_test_set_is_measured_with_the_weights_there_are(root: Path) -> None:
    first = run(root, job(root, "a"))
    weights = (root / "a" / WEIGHTS_FILE).read_bytes()
    more = job(root, "a", training(test=("test", "train:2")))
    assert steps_told(root, more) == []
    record = TrainingRecord.read(LocalArtifacts(root / "a"))
    assert record.results["test"] == first.record.results["test"]
    assert record.results["train:2"].images == 3
    assert (root / "a" / WEIGHTS_FILE).read_bytes() == weights


# The queue.


@pytest.fixture
def queue(root: Path, monkeypatch) -> Path:
    """Two trainings of ``STEPS`` steps; they run in this process."""
    monkeypatch.chdir(root)
    monkeypatch.setattr(sessions, "ProcessWorkers", InProcessWorkers)
    path = root / "jobs.csv"
    lines = (f"ecbsr-m4c8,sr,scale=2,short,{STEPS},{seed},train,test" for seed in (0, 1))
    path.write_text("\n".join((",".join(COLUMNS), *lines)) + "\n")
    return path


def listed(path: Path, capsys) -> list[str]:
    capsys.readouterr()
    assert main(["queue", str(path), "--list"]) == 0
    return [line.split("ecbsr")[0].strip() for line in capsys.readouterr().out.splitlines()]


def assert_one_line(capsys, status: int, part: str, expected: int = 2) -> None:
    error = capsys.readouterr().err
    assert status == expected
    assert error.startswith("error: ")
    assert error.count("\n") == 1, error
    assert part in error


def test_a_queue_runs_in_order_and_only_once(queue: Path, capsys) -> None:
    assert listed(queue, capsys) == ["waiting", "waiting"]
    assert main(["queue", str(queue), "--data", "."]) == 0
    out = capsys.readouterr().out
    assert out.index("finished ecbsr-m4c8, seed 0") < out.index("training 2 of 2") < out.index("seed 1, after")
    assert "2 of 2 trainings are finished\n" in out
    folder = queue.parent / "runs" / "jobs"
    assert {"README.md", "reproduction.csv", "psnr-sr-x2-of-y.png"} <= {path.name for path in folder.iterdir()}
    assert listed(queue, capsys) == ["done", "done"]
    queue.write_text(queue.read_text().replace(",0,train,test\n", ",0,train,test more\n"))
    assert listed(queue, capsys) == ["measuring", "done"]
    queue.write_text(queue.read_text().replace("test more", "test"))
    records = {path: path.read_bytes() for path in folder.glob(f"*/{RECORD_FILE}")}
    assert len(records) == 2
    assert main(["queue", str(queue), "--data", "."]) == 0
    assert "training 1 of" not in capsys.readouterr().out
    assert {path: path.read_bytes() for path in records} == records


def test_a_queue_goes_on_after_a_training_that_fails(queue: Path, monkeypatch, capsys) -> None:
    whole = Trainer.train_to

    def breaks_first(trainer: Trainer, *arguments: object, **named: object) -> None:
        monkeypatch.setattr(Trainer, "train_to", whole)
        raise RuntimeError("out of memory")

    monkeypatch.setattr("search.experiments.working_precision.tried", lambda precision, networks: (precision, None))
    monkeypatch.setattr(Trainer, "train_to", breaks_first)
    assert main(["queue", str(queue), "--data", "."]) == 1
    out = capsys.readouterr().out
    assert "failed   ecbsr-m4c8, seed 0: RuntimeError: out of memory" in out
    assert "1 of 2 trainings are finished, 1 failed; the same command continues" in out
    assert listed(queue, capsys) == ["waiting", "done"]


def test_time_that_is_over_is_no_failure(queue: Path, capsys) -> None:
    queue.write_text(queue.read_text().replace(f",{STEPS},", ",1000000000,"))
    assert main(["queue", str(queue), "--data", ".", "--time", "1s"]) == 0
    assert "0 of 2 trainings are finished; the same command continues" in capsys.readouterr().out
    assert set(listed(queue, capsys)[0].split()[:1]) <= {"step", "waiting"}


def test_a_full_disk_ends_the_queue_with_one_line(queue: Path, monkeypatch, capsys) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "save", full)
        assert_one_line(capsys, main(["queue", str(queue), "--data", "."]), "No space left on device", expected=1)
    assert main(["queue", str(queue), "--data", "."]) == 0


def test_a_bug_of_the_trainer_ends_the_queue_with_one_line(queue: Path, monkeypatch, capsys) -> None:
    def broken(*_: object, **__: object) -> None:
        raise AttributeError("no such thing")

    names = (f'"s-lwsr16:width={width},blocks_per_stage=1"' for width in (8, 12, 16, 20))
    words = [f"{name},sr,scale=2,short,2,0,train,test" for name in names]
    queue.write_text("\n".join((",".join(COLUMNS), *words)) + "\n")
    with monkeypatch.context() as patched:
        patched.setattr(Trainer, "train_to", broken)
        status = main(["queue", str(queue), "--data", "."])
    out, error = capsys.readouterr()
    assert status == 1
    assert error.startswith("error: stopped: 3 networks in a row failed for the same reason, AttributeError: no such")
    assert error.count("\n") == 1
    assert out.count("failed   s-lwsr16") == 3
    assert "Traceback" in (queue.parent / "runs" / "jobs" / "log.txt").read_text()


def test_two_commands_do_not_share_a_folder(queue: Path, capsys) -> None:
    folder = queue.parent / "runs" / "jobs"
    folder.mkdir(parents=True)
    with own(folder):
        assert_one_line(capsys, main(["queue", str(queue), "--data", "."]), "jobs is being written by another command")


def test_a_test_picture_among_the_training_data_is_refused(queue: Path, root: Path, capsys) -> None:
    mirrored = Image.open(root / "test" / "d.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    mirrored.save(root / "train" / "holiday.jpg", quality=80)
    assert_one_line(
        capsys, main(["queue", str(queue), "--data", "."]), "holiday.jpg of train, which shows what d.png of"
    )
    assert not (root / "runs").exists()
    queue.write_text(
        queue.read_text().replace(",0,train,", ",0,train!holiday,").replace(",1,train,", ",1,train!holiday,")
    )
    assert main(["queue", str(queue), "--data", "."]) == 0


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ([], "give --data FOLDER"),
        (["--data", "nowhere"], "nowhere"),
        (["--data", ".", "--time", "soon"], "got 'soon'"),
        (["--data", ".", "--device", "tpu"], "got 'tpu'"),
        (["--data", ".", "--side-by-side", "0"], "--side-by-side"),
    ],
)
def test_mistakes_of_queue_are_one_line(queue: Path, capsys, options: list[str], part: str) -> None:
    assert_one_line(capsys, main(["queue", str(queue), *options]), part)
    assert not (queue.parent / "runs").exists()


def test_pairs_and_single_pictures_do_not_mix(root: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(root)
    for folder in ("blur", "sharp"):
        (root / "pairs" / folder).mkdir(parents=True)
        noise = np.random.default_rng(len(folder)).integers(0, 256, (80, 80, 3), dtype=np.uint8)
        Image.fromarray(noise).save(root / "pairs" / folder / "x.png")
    line = "dncnn-list,denoise,channels=grey,short,4,0,train pairs,"
    (root / "jobs.csv").write_text(f"{','.join(COLUMNS)}\n{line}\n")
    assert_one_line(capsys, main(["queue", "jobs.csv", "--data", "."]), "all single pictures or all pairs")


def test_ctrl_c_leaves_a_checkpoint(queue: Path, monkeypatch, capsys) -> None:
    """With a worker process of its own, interrupted at the first progress that it tells."""
    monkeypatch.undo()
    monkeypatch.chdir(queue.parent)
    queue.write_text(queue.read_text().replace(f",{STEPS},", ",1000000000,"))

    def interrupt_once(self: EventLines, training: Training, progress: Progress) -> None:
        monkeypatch.undo()
        monkeypatch.chdir(queue.parent)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(EventLines, "progressed", interrupt_once)
    command = ["queue", str(queue), "--data", ".", "--side-by-side", "1"]
    before = signal.getsignal(signal.SIGINT)
    assert main(command) == 130
    assert signal.getsignal(signal.SIGINT) is before
    assert "0 of 2 trainings are finished; the same command continues" in capsys.readouterr().out
    first, second = listed(queue, capsys)
    assert int(first.removeprefix("step ").replace(",", "")) >= 1
    assert second == "waiting"


# `reproduce` and `evaluate`.


def test_weights_of_another_form_of_the_network_are_refused(queue: Path, capsys) -> None:
    """``+skip`` has the same tensors, so that names and shapes alone would let them pass."""
    word = "s-lwsr16+skip:width=8,blocks_per_stage=1"
    queue.write_text(f'{",".join(COLUMNS)}\n"{word}",sr,scale=2,short,2,0,train,test\n')
    assert main(["queue", str(queue), "--data", ".", "--out", "out"]) == 0
    (weights,) = Path("out").glob(f"*/{WEIGHTS_FILE}")
    capsys.readouterr()
    command = ["--weights", str(weights), "--data", "test", "--scale", "2", "--json"]
    plain = word.replace("+skip", "")
    assert_one_line(capsys, main(["evaluate", plain, *command]), f"must be of {plain}, got those of {word} (")
    assert_one_line(capsys, main(["evaluate", "s-lwsr16", *command]), f"must be of s-lwsr16, got those of {word} (")
    assert main(["evaluate", word, *command]) == 0
    (record,) = (TrainingRecord.read(LocalArtifacts(folder)) for folder in Path("out").glob("s-lwsr16*"))
    assert json.loads(capsys.readouterr().out)["psnr_db"] == pytest.approx(record.results["test"].psnr_db, abs=1e-6)


def test_reproduce_counts_without_training(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["reproduce", "s-lwsr16", "ffdnet", "--counts-only"]) == 0
    out = capsys.readouterr().out
    assert "143,755" in out
    assert "denoising" in out
    assert main(["reproduce", "s-lwsr16", "dncnn", "--counts-only", "--json"]) == 0
    counts = json.loads(capsys.readouterr().out)
    assert set(counts) == {"s-lwsr16", "dncnn"}
    assert counts["s-lwsr16"]["published_params"] == 144_000
    assert counts["s-lwsr16"]["params_by_paper_rule"] == 143_755
    assert counts["s-lwsr16"]["macs"] == 10_193_414_400
    assert counts["dncnn"]["published_params"] is None
    assert list(tmp_path.iterdir()) == []


def test_reproduce_trains_both_forms_and_leaves_table_and_figure(queue: Path, capsys) -> None:
    command = ["reproduce", "s-lwsr16", "--scale", "2", "--steps", "2", "--data", ".", "--train", "train"]
    assert main([*command, "--test", "test", "--json"]) == 0
    told = capsys.readouterr()
    assert [row["network"] for row in json.loads(told.out)] == ["s-lwsr16", "s-lwsr16+skip"]
    assert "2 of 2 trainings are finished" in told.err
    folder = Path("runs/reproduce")
    assert (folder / "psnr-sr-x2.png").read_bytes().startswith(b"\x89PNG")
    page = (folder / "README.md").read_text()
    assert "| s-lwsr16+skip | " in page
    assert "![PSNR of sr ×2](psnr-sr-x2.png)" in page
    assert len((folder / "reproduction.csv").read_text().splitlines()) == 3
    assert main([*command, "--test", "test", "--steps", "1"]) == 0
    assert len((folder / "reproduction.csv").read_text().splitlines()) == 5  # what the folder keeps, of both commands
    assert main([*command, "--test", "test,train:2"]) == 2  # what is trained on
    assert_one_line(capsys, 2, "training data must not hold pictures of a test set")


def test_a_study_leaves_its_page_and_continues(queue: Path, capsys) -> None:
    command = ["ablation", "upsamplers", "--steps", "1", "--data", ".", "--train", "train", "--test", "test"]
    assert main([*command, "--seeds", "1"]) == 0
    folder = Path("runs/ablation-upsamplers")
    assert (folder / "upsamplers.png").read_bytes().startswith(b"\x89PNG")
    assert len((folder / "psnr.csv").read_text().splitlines()) == 1 + 6
    capsys.readouterr()
    assert main([*command, "--seeds", "2"]) == 0
    assert "training 6 of 6" in capsys.readouterr().out  # of the second seed alone
    assert "against dense, two steps" in (folder / "README.md").read_text()
    assert main(["ablation", "widths"]) == 2
    assert_one_line(capsys, 2, "unknown ablation 'widths'; known: upsamplers, recursion, malleconv")


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        ([], "takes names, or --task, or --all"),
        (["s-lwsr17"], "unknown network 's-lwsr17'"),
        (["--task", "teleport"], "unknown task"),
        (["fsrcnn", "--scale", "big"], "got 'big'"),
        (["fsrcnn", "--protocol", "endless"], "got 'endless'"),
        (["fsrcnn", "--sigma", "25"], "--sigma is an option of denoise"),
        (["--task", "sr", "--channels", "y"], "s-lwsr16 must take and give"),
        (["fsrcnn", "--train", "photos"], "--data FOLDER"),
    ],
)
def test_mistakes_of_reproduce_are_one_line(
    tmp_path: Path, monkeypatch, capsys, arguments: list[str], part: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_one_line(capsys, main(["reproduce", *arguments, "--steps", "2"]), part)
    assert list(tmp_path.iterdir()) == []
