"""Shared weights in a worker: trained, stopped and continued, inherited, gone, and what is not the network's fault."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from evaluators.compression.compression import Compression
from evaluators.quality import evaluate
from evaluators.sharing import BankTrainer
from evaluators.sharing.bank_files import read_bank
from evaluators.tasks import rules_of
from evaluators.training.checkpoint import read_checkpoint
from search.models.about import About
from search.storage.artifacts import LocalArtifacts, bank_checkpoint_name, bank_name
from search.workers.bank_jobs import TIMED, WARM_UP, BankJob, BankTooLong, BankTrained
from search.workers.failures import answered
from search.workers.jobs import JobRunner, Measured, RungJob, Setting
from search.workers.messages import Answer, Failed, Job, MachineTrouble, Progress, Stopped
from space import TASKS, SearchSpace
from space.architecture import Architecture
from space.search_space import BACKBONE, first
from space.weights import read_stored

SPACE = SearchSpace(TASKS["sr"], TASKS["sr"].shape(2))


def design(width: int, blocks: int) -> Architecture:
    given = {BACKBONE: "plain", "input_skip": "bicubic", "width": width, "blocks": blocks}
    return SPACE.decode(SPACE.fill(first, given))


DESIGNS = (design(8, 4), design(8, 6), design(12, 4), design(12, 6))
TRAINING = BankJob(
    number=-1_000_000, family=0, designs=DESIGNS, steps=4, seed=7, checkpoint=bank_checkpoint_name(0), bank=bank_name(0)
)


def inheriting(arch: Architecture, steps: int = 4, rung: int = 0) -> RungJob:
    return RungJob(
        number=3,
        rung=rung,
        steps=steps,
        architecture=arch,
        seed=7,
        checkpoint="checkpoints/trial-3.safetensors",
        weights=f"checkpoints/trial-3-rung-{rung}.safetensors",
        start=bank_name(0) if rung == 0 else "checkpoints/trial-3-rung-0.safetensors",
        begun_at=4,
        inherits=rung == 0,
        shared_steps=4,
    )


def run(runner: JobRunner, job: Job, stop_after: int | None = None) -> Answer:
    told: list[int] = []
    return answered(
        job.number,
        lambda: runner.run(job, lambda progress: told.append(progress.step), lambda: len(told) == stop_after),
    )


def test_networks_inherit_what_was_trained_and_are_trained_on(tmp_path: Path, setting: Setting) -> None:
    runner = JobRunner(setting)
    trained = run(runner, TRAINING)
    assert isinstance(trained, BankTrained)
    assert (trained.family, trained.steps_made) == (0, 4)
    inherited = run(runner, inheriting(DESIGNS[1]))
    assert isinstance(inherited, Measured)
    assert (inherited.steps_made, inherited.train_s) == (0, 0.0)
    network = read_bank(tmp_path / TRAINING.bank).network(DESIGNS[1]).eval()
    assert inherited.psnr_db == evaluate(network, runner.pairs, rules_of("sr", 2)).psnr_db
    tuned = run(runner, inheriting(DESIGNS[1], steps=6, rung=1))
    assert isinstance(tuned, Measured)
    assert tuned.steps_made == 2
    assert tuned.psnr_db_by_image != inherited.psnr_db_by_image
    for rung, steps in ((0, 4), (1, 6)):
        about = About.read(read_stored(tmp_path / f"checkpoints/trial-3-rung-{rung}.safetensors").metadata, "here")
        assert about is not None
        training = about.facts["training"]
        assert (training["steps"], training["shared_steps"]) == (steps, 4)


def test_the_next_generation_trains_them_on_as_if_it_had_been_one_training(tmp_path: Path, setting: Setting) -> None:
    runner = JobRunner(setting)
    run(runner, TRAINING)
    further = replace(TRAINING, steps=8, bank=bank_name(0, 2))
    trained = run(runner, further)
    assert isinstance(trained, BankTrained)
    assert trained.steps_made == 4
    own, before = (read_bank(tmp_path / name).tensors for name in (further.bank, TRAINING.bank))
    path = tmp_path / "at-once"
    path.mkdir()
    run(JobRunner(replace(setting, artifacts=LocalArtifacts(path))), further)
    at_once = read_bank(path / further.bank).tensors
    assert all(torch.equal(tensor, own[key]) for key, tensor in at_once.items())
    assert any(not torch.equal(tensor, own[key]) for key, tensor in before.items())  # which stay as they were


def test_one_that_would_take_too_long_is_given_up_after_a_few_steps(tmp_path: Path, setting: Setting) -> None:
    made: list[int] = []
    runner, long = JobRunner(setting), replace(TRAINING, steps=2_000)
    answer = runner.run(replace(long, most_s=0.5), lambda progress: made.append(progress.step), lambda: False)
    assert isinstance(answer, BankTooLong)
    assert answer.family == 0
    assert made[-1] == WARM_UP + TIMED
    assert answer.needed_s > 0.5
    assert not (tmp_path / TRAINING.bank).exists()
    again = run(runner, replace(TRAINING, steps=WARM_UP + TIMED + 2))  # a session that has the time
    assert isinstance(again, BankTrained)
    assert again.steps_made == 2


def test_what_a_training_takes_is_told_by_steps_after_the_first_ones(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("search.workers.bank_jobs.time.perf_counter", lambda: now[0])

    def a_step(progress: Progress) -> None:
        now[0] += 10.0 if progress.step < WARM_UP else 0.5

    job = replace(TRAINING, steps=WARM_UP + TIMED + 100)
    answer = JobRunner(setting).run(replace(job, most_s=49.0), a_step, lambda: False)
    assert isinstance(answer, BankTooLong)
    assert answer.needed_s == pytest.approx(50.0)
    assert isinstance(JobRunner(setting).run(replace(job, most_s=51.0), a_step, lambda: False), BankTrained)


@pytest.mark.parametrize(("shared", "share"), [(4, 1.0), (300, 1.0), (1200, 0.5)])
def test_the_rate_goes_on_where_shared_training_left_it(
    tmp_path: Path, setting: Setting, shared: int, share: float
) -> None:
    """With the full rate again, large networks would lose what they inherited."""
    runner = JobRunner(setting)
    run(runner, TRAINING)
    run(runner, inheriting(DESIGNS[1]))
    run(runner, replace(inheriting(DESIGNS[1], steps=6, rung=1), shared_steps=shared))
    plan = read_checkpoint(tmp_path / "checkpoints/trial-3.safetensors").plan
    assert plan.learning_rate == pytest.approx(share * setting.plan.learning_rate)
    stored = About.read(read_stored(tmp_path / "checkpoints/trial-3-rung-1.safetensors").metadata, "here")
    assert stored is not None
    assert stored.facts["training"]["plan"] == plan.to_dict()


def test_in_int8_what_is_inherited_is_measured_rounded(setting: Setting) -> None:
    runner = JobRunner(setting)
    run(runner, TRAINING)
    exact = run(runner, inheriting(DESIGNS[0]))
    rounded = run(runner, replace(inheriting(DESIGNS[0]), compression=Compression(dtype="int8")))
    assert isinstance(exact, Measured)
    assert isinstance(rounded, Measured)
    assert 0 < abs(rounded.psnr_db - exact.psnr_db) < 0.5


@pytest.mark.parametrize("damaged", [False, True])
def test_a_training_that_was_stopped_goes_on_to_the_same_weights(
    damaged: bool, tmp_path: Path, setting: Setting
) -> None:
    runner = JobRunner(setting)
    assert isinstance(run(runner, TRAINING, stop_after=2), Stopped)
    path = tmp_path / TRAINING.checkpoint
    assert path.exists()
    if damaged:  # begun again from its seed
        path.write_bytes(path.read_bytes()[:-9])
    continued = run(JobRunner(setting), TRAINING)
    assert isinstance(continued, BankTrained)
    assert continued.steps_made == (4 if damaged else 2)
    tensors = read_bank(tmp_path / TRAINING.bank).tensors
    path = tmp_path / "at-once"
    path.mkdir()
    run(JobRunner(replace(setting, artifacts=LocalArtifacts(path))), TRAINING)
    for key, tensor in read_bank(path / TRAINING.bank).tensors.items():
        assert torch.equal(tensor, tensors[key]), key


class Diverges:
    """The loss of a family's training is not finite at one step, until its rate is lowered, or for good."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int, for_good: bool = False) -> None:
        self.rates: list[float] = []
        step = BankTrainer._train_step

        def breaks(trainer: BankTrainer) -> float:
            self.rates.append(trainer._optimizer.rate)
            loss = step(trainer)
            return float("nan") if trainer.step == at and (for_good or trainer.lowered_at is None) else loss

        monkeypatch.setattr(BankTrainer, "_train_step", breaks)


def test_shared_weights_that_diverge_go_on_once_at_half_the_rate(
    tmp_path: Path, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the last state that was written down, here after two steps."""
    assert isinstance(run(JobRunner(setting), TRAINING, stop_after=2), Stopped)
    diverges = Diverges(monkeypatch, at=4)
    trained = run(JobRunner(setting), TRAINING)
    assert isinstance(trained, BankTrained)
    assert trained.lowered_at == 2
    assert diverges.rates == [1.0, 1.0, 0.5, 0.5]
    assert all(torch.isfinite(tensor).all() for tensor in read_bank(tmp_path / TRAINING.bank).tensors.values())


def test_from_the_beginning_where_nothing_was_written_down(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    diverges = Diverges(monkeypatch, at=3)
    trained = run(JobRunner(setting), TRAINING)
    assert isinstance(trained, BankTrained)
    assert trained.lowered_at == 0
    assert diverges.rates == [1.0] * 3 + [0.5] * 4


def test_a_kill_does_not_give_it_another_try(tmp_path: Path, setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    Diverges(monkeypatch, at=2, for_good=True)
    failed = run(JobRunner(setting), TRAINING)
    assert isinstance(failed, Failed)
    assert failed.diverged
    assert (tmp_path / TRAINING.checkpoint).exists()
    again = Diverges(monkeypatch, at=2, for_good=True)
    assert isinstance(run(JobRunner(setting), TRAINING), Failed)
    assert set(again.rates) == {0.5}


def test_no_time_left_is_no_failure(tmp_path: Path, setting: Setting) -> None:
    assert isinstance(run(JobRunner(setting), replace(TRAINING, left_s=-1)), Stopped)
    assert not (tmp_path / TRAINING.bank).exists()


def test_shared_weights_that_are_gone_are_named(setting: Setting) -> None:
    answer = run(JobRunner(setting), inheriting(DESIGNS[0]))
    assert isinstance(answer, Failed)
    assert answer.reason.endswith("the weights that networks share are gone: shared/family-0.safetensors")


def test_a_full_disk_is_the_machine_s_trouble(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: LocalArtifacts, name: str, write: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(LocalArtifacts, "put", full)
    answer = run(JobRunner(setting), TRAINING)
    assert isinstance(answer, MachineTrouble)
    assert "No space left on device" in answer.reason
