"""Jobs and the processes that do them: continuing, failing, dying."""

from __future__ import annotations

import errno
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from evaluators.compression.compression import Compression
from evaluators.quality import evaluate
from evaluators.tasks import rules_of
from evaluators.training.divergence import NonFiniteLossError
from evaluators.training.trainer import Trainer
from evaluators.training.weights import load_weights
from search.models.about import About
from search.workers.failures import answered
from search.workers.jobs import JobRunner, Measured, RungJob, Setting, TimingJob
from search.workers.messages import Answer, Failed, MachineTrouble, Stopped
from search.workers.processes import ProcessWorkers
from space import TASKS, build
from space.weights import read_stored
from tests.random_networks import random_architecture

ARCHITECTURE = random_architecture(TASKS["sr"].shape(2), ("plain",), np.random.default_rng(4))


def job(name: str, steps: int, left_s: float = float("inf"), rung: int = 0) -> RungJob:
    """Its artifacts lie in the folder ``name``."""
    return RungJob(
        number=3,
        rung=rung,
        steps=steps,
        architecture=ARCHITECTURE,
        seed=7,
        checkpoint=f"{name}/checkpoint.safetensors",
        weights=f"{name}/weights-{steps}.safetensors",
        left_s=left_s,
    )


def run(runner: JobRunner, what: RungJob, stop: bool = False) -> Answer:
    return answered(what.number, lambda: runner.run(what, lambda progress: None, lambda: stop))


def test_a_rung_continues_and_equals_training_in_one_go(tmp_path: Path, setting: Setting) -> None:
    runner = JobRunner(setting)
    for name, ladder in (("climbed", (2, 4)), ("at-once", (4,))):
        for steps in ladder:
            answer = run(runner, job(name, steps))
        assert isinstance(answer, Measured)
        if name == "climbed":
            climbed = answer
            assert answer.steps_made == 2
    assert answer.psnr_db_by_image == climbed.psnr_db_by_image


def test_a_compressed_trial_goes_on_from_its_parent_with_a_teacher(tmp_path: Path, setting: Setting) -> None:
    runner = JobRunner(setting)
    for name in ("parent", "teacher"):
        assert isinstance(run(runner, job(name, 2)), Measured)
    child = replace(job("child", 4), start="parent/weights-2.safetensors", begun_at=2)
    alone = run(runner, child)
    assert isinstance(alone, Measured)
    assert alone.steps_made == 2
    taught = replace(child, teacher=(ARCHITECTURE, "teacher/weights-2.safetensors"), checkpoint="taught/c.safetensors")
    with_teacher = run(runner, replace(taught, weights="taught/weights-4.safetensors"))
    assert isinstance(with_teacher, Measured)
    assert with_teacher.psnr_db_by_image != alone.psnr_db_by_image


def test_int8_is_measured_without_training(tmp_path: Path, setting: Setting) -> None:
    runner = JobRunner(setting)
    exact = run(runner, job("parent", 2))
    assert isinstance(exact, Measured)
    int8 = Compression(dtype="int8")
    child = replace(job("int8", 2), start="parent/weights-2.safetensors", begun_at=2, compression=int8)
    answer = run(runner, child)
    assert isinstance(answer, Measured)
    assert (answer.steps_made, answer.train_s) == (0, 0.0)
    assert answer.psnr_db == pytest.approx(exact.psnr_db, abs=0.5)
    about = About.read(read_stored(tmp_path / "int8" / "weights-2.safetensors").metadata, "here")
    assert about is not None
    assert about.facts["compression"]["dtype"] == "int8"
    assert about.facts["int8_ranges"]


def test_weights_that_are_gone_are_the_trial_s_failure(setting: Setting) -> None:
    answer = run(JobRunner(setting), replace(job("child", 4), start="nowhere/weights.safetensors", begun_at=2))
    assert isinstance(answer, Failed)
    assert "are gone: nowhere/weights.safetensors" in answer.reason


def test_the_saved_weights_are_those_that_were_measured(tmp_path: Path, setting: Setting) -> None:
    runner = JobRunner(setting)
    answer = run(runner, job("a", 3))
    network = build(ARCHITECTURE)
    load_weights(tmp_path / "a" / "weights-3.safetensors", network)
    assert evaluate(network.eval(), runner.pairs, rules_of("sr", 2)).psnr_db == pytest.approx(answer.psnr_db)


def test_stopping_keeps_a_checkpoint_of_what_was_done(tmp_path: Path, setting: Setting) -> None:
    runner, told = JobRunner(setting), list[int]()
    assert isinstance(run(runner, job("a", 3, left_s=-1)), Stopped)
    assert not (tmp_path / "a" / "checkpoint.safetensors").exists()  # nothing was done
    stopped = runner.run(job("a", 3), lambda progress: told.append(progress.step), lambda: len(told) == 2)
    assert isinstance(stopped, Stopped)
    assert (tmp_path / "a" / "checkpoint.safetensors").exists()
    assert run(runner, job("a", 3)).steps_made == 1


def test_a_damaged_checkpoint_means_from_the_start(tmp_path: Path, setting: Setting) -> None:
    runner = JobRunner(setting)
    run(runner, job("a", 2))
    (tmp_path / "a" / "checkpoint.safetensors").write_bytes(b"rubbish")
    again = run(runner, job("a", 3))
    assert again.steps_made == 3


@pytest.mark.parametrize(
    ("error", "kind", "part"),
    [
        (NonFiniteLossError("the loss", 7), Failed, "not finite at training step 7"),
        (MemoryError("cannot allocate"), Failed, "MemoryError: cannot allocate"),
        (OSError(errno.ENOSPC, "No space left on device"), MachineTrouble, "No space left"),
    ],
)
def test_what_breaks_a_job_is_its_answer(tmp_path: Path, setting: Setting, monkeypatch, error, kind, part) -> None:
    def breaks(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Trainer, "train_to", breaks)
    answer = run(JobRunner(setting), job("a", 2))
    assert isinstance(answer, kind)
    assert part in answer.reason


def test_timing_gives_seconds_for_every_architecture(setting: Setting) -> None:
    timed = JobRunner(setting).run(TimingJob(architectures=(ARCHITECTURE,) * 2), lambda progress: None, lambda: False)
    assert len(timed.step_s) == 2
    assert all(seconds > 0 for seconds in timed.step_s)


@pytest.mark.parametrize(
    ("steps_s", "expected"),
    [((9, 0.4, 0.2, 0.3, 0.4), 9), ((0.3, 0.4, 0.2, 0.3, 0.45), 0.2), ((0.1, 0.2, 0.7), 0.2)],
    ids=["a long first step is taken at once", "the least of those after the first", "it ends where one takes long"],
)
def test_other_work_on_the_machine_does_not_count_as_the_time_of_a_step(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, steps_s: tuple[float, ...], expected: float
) -> None:
    clock = [0.0]

    def slowly(self: Trainer, steps: int, *_: object, **__: object) -> None:
        clock[0] += steps_s[steps - 1]

    monkeypatch.setattr(Trainer, "train_to", slowly)
    monkeypatch.setattr("search.workers.jobs.time.perf_counter", lambda: clock[0])
    timed = JobRunner(setting).run(TimingJob(architectures=(ARCHITECTURE,)), lambda progress: None, lambda: False)
    assert timed.step_s == (pytest.approx(expected),)


def test_a_worker_that_is_killed_is_replaced_and_its_job_done_once_more(tmp_path: Path, setting: Setting) -> None:
    workers = ProcessWorkers(1, partial(JobRunner, setting), 1)
    try:
        workers.submit(job("a", 100_000, left_s=12))
        workers._workers[0].process.kill()
        answers: list = []
        deadline = time.monotonic() + 120
        while not answers and time.monotonic() < deadline:
            answers = [answer for answer in workers.poll(0.2) if isinstance(answer, Measured | Stopped | Failed)]
        assert isinstance(answers[0], Stopped)
        assert workers.idle() == 1
        workers.submit(job("a", 100_000))
        workers._workers[0].attempts = 2
        workers._workers[0].process.kill()
        answers = []
        while not answers and time.monotonic() < deadline:
            answers = [answer for answer in workers.poll(0.2) if isinstance(answer, Measured | Stopped | Failed)]
        assert isinstance(answers[0], Failed)
        assert "died" in answers[0].reason
    finally:
        workers.close()
