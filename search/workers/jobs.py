"""The jobs of a search: train a trial to its next rung and measure it, or find out how long steps take."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evaluators.data import load_pairs
from evaluators.quality import Quality, evaluate
from evaluators.tasks import Pair, TaskRules
from evaluators.training.plan import TrainingPlan
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from evaluators.training.weights import save_weights
from search.models.about import About, Origin, metrics_row
from search.sessions.deadline import Deadline
from search.storage.artifacts import ArtifactStore
from search.workers.failures import machine_reason, reason_of
from search.workers.messages import Job, Progress, Result, Stopped
from search.workers.resumable import Resumable, asking, train
from space.architecture import Architecture

POOL_FOLDER = "pool"
PAIRS_FILE = "validation.npz"
LONG_STEP_S = 0.5  # one that takes longer is timed at once, without a step to warm up


@dataclass(frozen=True, kw_only=True)
class RungJob(Job):
    """Train one trial until ``steps`` steps have been made in all, then measure it; ``number`` is the trial's.

    ``checkpoint`` and ``weights`` are names of artifacts; the weights are the averaged ones that are measured.
    """

    rung: int
    steps: int
    architecture: Architecture
    seed: int
    checkpoint: str
    weights: str


@dataclass(frozen=True, kw_only=True)
class TimingJob(Job):
    """Measure the seconds that a step of each architecture takes."""

    architectures: tuple[Architecture, ...]
    number: int = -1  # of no trial


@dataclass(frozen=True)
class Measured(Result):
    """A completed rung; ``train_s`` and ``steps_made`` count this job only."""

    psnr_db: float
    ssim: float
    psnr_db_by_image: dict[str, float]
    train_s: float
    steps_made: int
    eval_s: float
    others_db: dict[str, float] = field(default_factory=dict)  # the task's further figures


@dataclass(frozen=True)
class Timed(Result):
    """Seconds per step, None of an architecture that could not be trained; ``reason`` is the last one's."""

    step_s: tuple[float | None, ...]
    reason: str | None = None
    trace: str = ""


@dataclass(frozen=True)
class Setting:
    """What all jobs of a run share, small enough to send to a new process.

    ``origin`` is what the weight files say of the run besides.
    """

    data_folder: Path
    artifacts: ArtifactStore
    rules: TaskRules
    plan: TrainingPlan
    precision: Precision
    origin: Origin = field(default_factory=Origin)


class JobRunner:
    """Does the jobs of a search, one at a time, with data that is loaded once."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.pool = PatchPool.open(setting.data_folder / POOL_FOLDER, setting.rules.degrade.finish_patches)
        self.pairs: Sequence[Pair] = load_pairs(setting.data_folder / PAIRS_FILE)

    def run(
        self, job: Job, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
    ) -> Result | Stopped:
        if isinstance(job, TimingJob):
            return self._time(job, should_stop)
        assert isinstance(job, RungJob)
        return self._climb(job, on_progress, should_stop)

    def _climb(
        self, job: RungJob, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
    ) -> Measured | Stopped:
        deadline, artifacts, precision = Deadline(job.left_s), self.setting.artifacts, self.setting.precision
        training = self._training(job.architecture, job.seed)
        trainer = training.resumed(artifacts.get(job.checkpoint), precision) or training.begun(precision)
        begun, first_step = time.perf_counter(), trainer.step
        train(
            trainer,
            job.steps,
            on_step=lambda step, loss: on_progress(Progress(job.number, step, job.steps, loss)),
            ends=lambda: should_stop() or deadline.is_over,
            save=lambda: artifacts.put(job.checkpoint, trainer.save),
        )
        train_s = time.perf_counter() - begun
        if trainer.step < job.steps:
            return Stopped(job.number, train_s)
        begun = time.perf_counter()
        network = trainer.averaged_network()
        quality = evaluate(network, asking(self.pairs, should_stop), self.setting.rules, precision.device)
        eval_s = time.perf_counter() - begun
        about = self._about(job, quality)
        artifacts.put(job.weights, lambda path: save_weights(path, network, about.metadata()))
        return Measured(
            job.number,
            quality.psnr_db,
            quality.ssim,
            quality.psnr_db_by_image,
            train_s,
            trainer.step - first_step,
            eval_s,
            quality.others_db,
        )

    def _about(self, job: RungJob, quality: Quality) -> About:
        setting = self.setting
        facts = setting.origin.facts(
            trial=job.number,
            rung=job.rung,
            steps=job.steps,
            seed=job.seed,
            plan=setting.plan.to_dict(),
            metrics=metrics_row(setting.rules, setting.origin.val_data, quality),
        )
        return About(f"{setting.origin.run}#{job.number}", job.architecture, setting.rules, facts)

    def _time(self, job: TimingJob, should_stop: Callable[[], bool]) -> Timed:
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
        return Timed(job.number, tuple(measured), reason, trace)

    def _step_s(self, architecture: Architecture, should_stop: Callable[[], bool]) -> float:
        trainer = self._training(architecture, 0).begun(self.setting.precision)
        seconds = 0.0
        for step in (1, 2):
            should_stop()
            begun = time.perf_counter()
            trainer.train_to(step)
            seconds = time.perf_counter() - begun
            if seconds > LONG_STEP_S:
                break
        return seconds

    def _training(self, architecture: Architecture, seed: int) -> Resumable:
        return Resumable(architecture, seed, self.setting.rules, self.setting.plan, self.pool)


def training_seed(run_seed: int, architecture_key: str) -> int:
    """The seed of one network's weights and patches: of the run's seed and what the network is."""
    return int.from_bytes(hashlib.sha256(f"{run_seed}/{architecture_key}".encode()).digest()[:4], "big")
