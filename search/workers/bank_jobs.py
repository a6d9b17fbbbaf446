"""Training the weights that the networks of a family share, in a worker process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evaluators.data import pools_of
from evaluators.sharing import BankTrainer
from evaluators.sharing.bank_files import write_bank
from evaluators.training.divergence import DivergedError
from evaluators.training.pool import PatchPool
from search.sessions.deadline import Deadline
from search.workers.messages import Job, Progress, Result, Stopped
from search.workers.resumable import train
from space.architecture import Architecture
from space.errors import UserError

if TYPE_CHECKING:
    from search.workers.jobs import Setting


WARM_UP, TIMED = 3, 12  # steps of a training before those that say how long it takes, and these


@dataclass(frozen=True, kw_only=True)
class BankJob(Job):
    """Train shared weights for ``steps`` steps on ``designs``, smallest first; ``number`` is of no trial.

    ``checkpoint`` and ``bank`` are names of artifacts. It is given up after ``TIMED`` steps if by them it would take
    more than ``most_s`` seconds.
    """

    family: int
    designs: tuple[Architecture, ...]
    steps: int
    seed: int
    checkpoint: str
    bank: str
    most_s: float = math.inf


@dataclass(frozen=True)
class BankTooLong(Result):
    """It was given up: it would have taken another ``needed_s`` seconds."""

    family: int
    needed_s: float


@dataclass(frozen=True)
class BankTrained(Result):
    """``train_s`` is what this job took; ``lowered_at`` as of ``BankTrainer``."""

    family: int
    train_s: float
    steps_made: int
    lowered_at: int | None = None


def train_bank(
    job: BankJob,
    setting: Setting,
    pool: PatchPool,
    on_progress: Callable[[Progress], None],
    should_stop: Callable[[], bool],
) -> BankTrained | BankTooLong | Stopped:
    """Do ``job``, from its checkpoint if there is a whole one: of a session that ended, or of an earlier generation. If
    it diverges it goes on from there once, at a lower rate. The checkpoint stays, for the next generation.

    Raises:
        DivergedError: it diverges again.
    """
    deadline, artifacts = Deadline(job.left_s), setting.artifacts
    trainer = _continued(job, setting, pool)
    first_step, begun = trainer.step, time.perf_counter()
    estimate = _Estimate(job.steps)

    def told(step: int, loss: float) -> None:
        estimate.made(step)
        on_progress(Progress(job.number, step, job.steps, loss))

    def to_the_end(trainer: BankTrainer) -> None:
        train(
            trainer,
            job.steps,
            on_step=told,
            ends=lambda: should_stop() or deadline.is_over or estimate.needed_s > job.most_s,
            save=lambda: artifacts.put(job.checkpoint, trainer.save),
        )

    try:
        to_the_end(trainer)
    except DivergedError:
        if trainer.lowered_at is not None:
            raise
        trainer = _continued(job, setting, pool)
        trainer.lower_rate()
        artifacts.put(job.checkpoint, trainer.save)
        to_the_end(trainer)
    train_s = time.perf_counter() - begun
    if trainer.step < job.steps:
        if estimate.needed_s > job.most_s:
            return BankTooLong(job.number, job.family, estimate.needed_s)
        return Stopped(job.number, train_s)
    bank = trainer.averaged_bank()
    artifacts.put(job.bank, lambda path: write_bank(path, bank, trainer.step))
    return BankTrained(job.number, job.family, train_s, trainer.step - first_step, trainer.lowered_at)


class _Estimate:
    """What a training of ``steps`` steps takes in all, by the first ones of this process; the very first are slower."""

    def __init__(self, steps: int) -> None:
        self.needed_s = 0.0  # nothing is known yet
        self._steps, self._count, self._since = steps, 0, math.nan

    def made(self, step: int) -> None:
        self._count += 1
        if self._count == WARM_UP:
            self._since = time.perf_counter()
        elif self._count == WARM_UP + TIMED:
            self.needed_s = (time.perf_counter() - self._since) / TIMED * (self._steps - step)


def _continued(job: BankJob, setting: Setting, pool: PatchPool) -> BankTrainer:
    """From its last checkpoint; from the beginning where there is none, or it is damaged: the same seed then gives the
    same again."""
    trainer, saved = _trainer(job, setting, pool), setting.artifacts.get(job.checkpoint)
    if saved is not None:
        try:
            trainer.load(saved)
        except UserError:
            return _trainer(job, setting, pool)
    return trainer


def _trainer(job: BankJob, setting: Setting, pool: PatchPool) -> BankTrainer:
    rules = setting.rules
    return BankTrainer(
        job.designs,
        lambda specialists: pools_of(pool, rules, specialists),
        setting.plan,
        setting.precision,
        job.seed,
        rules.measure.loss,
    )
