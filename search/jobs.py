"""What a worker is asked to do, and what it answers."""

from __future__ import annotations

import hashlib
import math
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from evaluators.data import Pair, load_pairs, pools_of
from evaluators.evaluate import NonFiniteOutputError, evaluate
from evaluators.tasks import TaskRules
from evaluators.training.plan import TrainingPlan
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from evaluators.training.trainer import NonFiniteLossError, Trainer
from evaluators.training.weights import save_weights
from search.deadline import Deadline
from search.workers.failures import machine_reason, reason_of
from space.build import architecture_from_dict, build
from space.errors import UserError
from space.specialists import networks_of

POOL_FOLDER = "pool"
PAIRS_FILE = "validation.npz"


@dataclass(frozen=True)
class Job:
    """Train one trial until ``steps`` steps have been made in all, then measure it."""

    trial: int
    rung: int
    steps: int
    architecture: dict[str, Any]
    seed: int
    checkpoint: Path
    weights: Path  # the averaged weights that are measured
    left_s: float = math.inf  # from when it is begun; then training stops with a checkpoint


@dataclass(frozen=True)
class TimingJob:
    """Measure the seconds that a step of each architecture takes."""

    architectures: tuple[dict[str, Any], ...]
    trial: int = -1  # of none


@dataclass(frozen=True)
class Progress:
    trial: int
    step: int
    steps: int
    loss: float


@dataclass(frozen=True)
class Measured:
    """A completed rung; ``train_s`` and ``steps_made`` count this job only."""

    trial: int
    psnr_db: float
    ssim: float
    psnr_db_by_image: dict[str, float]
    train_s: float
    steps_made: int
    eval_s: float
    others_db: dict[str, float] = field(default_factory=dict)  # the task's further figures


@dataclass(frozen=True)
class Stopped:
    """Training ended before its rung because it was told to; a checkpoint holds what was done."""

    trial: int
    train_s: float = 0.0


@dataclass(frozen=True)
class Failed:
    """The trial broke; ``diverged`` is what can only be the network's doing. ``trace`` is for the log."""

    trial: int
    reason: str
    trace: str = ""
    diverged: bool = False


@dataclass(frozen=True)
class MachineTrouble:
    """A file could not be written, a GPU is gone; the trial itself is well."""

    trial: int
    reason: str
    trace: str = ""


@dataclass(frozen=True)
class Timed:
    """Seconds per step, None of an architecture that could not be trained; ``reason`` is the last one's."""

    step_s: tuple[float | None, ...]
    reason: str | None = None
    trace: str = ""
    trial: int = -1


Answer = Measured | Stopped | Failed | MachineTrouble | Timed


@dataclass(frozen=True)
class Setting:
    """What all jobs of a run share, small enough to send to a new process."""

    data_folder: Path
    rules: TaskRules
    plan: TrainingPlan
    precision: Precision


class JobRunner:
    """Does jobs, one at a time, with data that is loaded once."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.pool = PatchPool.open(setting.data_folder / POOL_FOLDER, setting.rules.finish_patches)
        self.pairs: Sequence[Pair] = load_pairs(setting.data_folder / PAIRS_FILE)

    def run(self, job: Job, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Answer:
        """Train and measure; whatever goes wrong with this trial is its answer, never an exception."""
        return answered(job.trial, lambda: self._run(job, on_progress, should_stop))

    def _run(self, job: Job, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Answer:
        deadline = Deadline(job.left_s)
        trainer = self._trainer(job)
        begun, first_step = time.perf_counter(), trainer.step
        trainer.train_to(
            job.steps,
            on_step=lambda step, loss: on_progress(Progress(job.trial, step, job.steps, loss)),
            should_stop=lambda: should_stop() or deadline.is_over,
        )
        train_s = time.perf_counter() - begun
        trainer.save(job.checkpoint)
        if trainer.step < job.steps:
            return Stopped(job.trial, train_s)
        begun = time.perf_counter()
        network = trainer.averaged_network()
        quality = evaluate(network, _told(self.pairs, should_stop), self.setting.rules, self.setting.precision.device)
        eval_s = time.perf_counter() - begun
        save_weights(job.weights, network, {"steps": str(trainer.step), "trial": str(job.trial)})
        return Measured(
            job.trial,
            quality.psnr_db,
            quality.ssim,
            quality.psnr_db_by_image,
            train_s,
            trainer.step - first_step,
            eval_s,
            quality.others_db,
        )

    def _trainer(self, job: Job) -> Trainer:
        """Continue from the trial's checkpoint, or begin: a lost or damaged one means from the start, same seed."""
        network = self._network(job.architecture, job.seed)
        if job.checkpoint.exists():
            try:
                setting = self.setting
                return Trainer.load(
                    job.checkpoint, network, self._pools(network), setting.precision, setting.plan, setting.rules.loss
                )
            except UserError:
                network = self._network(job.architecture, job.seed)
        return self._new_trainer(network, job.seed)

    def _new_trainer(self, network: torch.nn.Module, seed: int) -> Trainer:
        setting = self.setting
        return Trainer(network, self._pools(network), setting.plan, setting.precision, seed, setting.rules.loss)

    def _pools(self, network: torch.nn.Module) -> tuple[PatchPool, ...]:
        return pools_of(self.pool, self.setting.rules, len(networks_of(network)))

    def _network(self, architecture: dict[str, Any], seed: int) -> torch.nn.Module:
        return build(architecture_from_dict(architecture), torch.Generator().manual_seed(seed))

    def time(self, job: TimingJob, should_stop: Callable[[], bool] = lambda: False) -> Timed:
        """Seconds per training step: of the second step, or of the first where one takes long."""
        measured: list[float | None] = []
        reason, trace = None, ""
        for architecture in job.architectures:
            try:
                measured.append(self._step_s(architecture, should_stop))
            except Exception as error:
                if machine_reason(error):
                    raise
                measured.append(None)
                reason, trace = reason_of(error), traceback.format_exc()
        return Timed(tuple(measured), reason, trace)

    def _step_s(self, architecture: dict[str, Any], should_stop: Callable[[], bool]) -> float:
        trainer = self._new_trainer(self._network(architecture, 0), 0)
        for step in (1, 2):
            should_stop()
            begun = time.perf_counter()
            trainer.train_to(step)
            seconds = time.perf_counter() - begun
            if seconds > 0.5:
                break
        return seconds


def _told(pairs: Sequence[Pair], should_stop: Callable[[], bool]) -> Iterator[Pair]:
    """``pairs``, with the question before each of them: asking is a worker's sign of life."""
    for pair in pairs:
        should_stop()
        yield pair


def answered(trial: int, work: Callable[[], Answer]) -> Answer:
    """What ``work`` answers, or what went wrong with it: any exception, whatever its type."""
    try:
        return work()
    except (NonFiniteLossError, NonFiniteOutputError) as error:
        return Failed(trial, str(error), diverged=True)
    except UserError as error:
        return Failed(trial, str(error), traceback.format_exc())
    except Exception as error:
        trouble = machine_reason(error)
        if trouble is not None:
            return MachineTrouble(trial, trouble, traceback.format_exc())
        return Failed(trial, reason_of(error), traceback.format_exc())


def training_seed(run_seed: int, architecture_key: str) -> int:
    """The seed of one network's weights and patches: of the run's seed and what the network is."""
    return int.from_bytes(hashlib.sha256(f"{run_seed}/{architecture_key}".encode()).digest()[:4], "big")
