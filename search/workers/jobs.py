"""The jobs of a search: train a trial to its next rung and measure it, or time training steps."""

from __future__ import annotations

import hashlib
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import nn

from evaluators.compression.compression import INT8, UNCOMPRESSED, Compression
from evaluators.compression.int8 import quantized_on
from evaluators.compression.int8.network import int8_ranges
from evaluators.compression.int8.rounding import Range
from evaluators.data import load_pairs, pools_of
from evaluators.quality import Quality, evaluate
from evaluators.sharing.bank_files import read_bank
from evaluators.tasks import Pair, TaskRules
from evaluators.training.distillation import Distillation
from evaluators.training.plan import TrainingPlan
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from evaluators.training.weights import load_weights, save_weights
from search.models.about import About, Origin, metrics_row
from search.sessions.deadline import Deadline
from search.storage.artifacts import ArtifactStore
from search.workers.bank_jobs import BankJob, train_bank
from search.workers.failures import machine_reason, reason_of
from search.workers.messages import Job, Progress, Result, Stopped
from search.workers.pruning import PruneJob, pruned_network
from search.workers.resumable import Resumable, asking, train
from space.architecture import Architecture
from space.build import build
from space.specialists import networks_of
from space.weight_bank import WeightBank

POOL_FOLDER = "pool"
PAIRS_FILE = "validation.npz"
TEACHER_WEIGHT = 1.0  # of a teacher's output against the target
TIMED_STEPS = 4
LONG_STEP_S = 0.5  # one that takes longer is timed at once, without a step to warm up


@dataclass(frozen=True, kw_only=True)
class RungJob(Job):
    """Train one trial until ``steps`` steps have been made in all, then measure it; ``number`` is the trial's.

    ``checkpoint`` and ``weights`` are names of artifacts; the weights are the averaged ones that are measured, in the
    number format of ``compression``.

    A trial that does not begin with random weights begins with those of the artifact ``start``, with which
    ``begun_at`` steps have been made; where that is all that are asked for, they are only measured. ``inherits`` says
    that ``start`` is a weight bank, of which its own weights are slices; ``shared_steps`` are those of the bank.
    ``teacher`` is the network that teaches it, and the name of its weights.
    """

    rung: int
    steps: int
    architecture: Architecture
    seed: int
    checkpoint: str
    weights: str
    compression: Compression = UNCOMPRESSED
    start: str = ""
    begun_at: int = 0
    inherits: bool = False
    shared_steps: int = 0
    teacher: tuple[Architecture, str] | None = None


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
    """Seconds per step, None for an architecture that could not be trained; ``reason`` is of the last one."""

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
    """Runs the jobs of a search one at a time, with data that is loaded once."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.pool = PatchPool.open(setting.data_folder / POOL_FOLDER, setting.rules.degrade.finish_patches)
        self.pairs: Sequence[Pair] = load_pairs(setting.data_folder / PAIRS_FILE)
        self._banks: dict[str, WeightBank] = {}

    def run(
        self, job: Job, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
    ) -> Result | Stopped:
        if isinstance(job, TimingJob):
            return self._time(job, should_stop)
        if isinstance(job, PruneJob):
            return pruned_network(job, self.setting.artifacts)
        if isinstance(job, BankJob):
            return train_bank(job, self.setting, self.pool, on_progress, should_stop)
        assert isinstance(job, RungJob)
        return self._climb(job, on_progress, should_stop)

    def _climb(
        self, job: RungJob, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
    ) -> Measured | Stopped:
        if job.start and job.begun_at == job.steps:
            start = self._inherited if job.inherits else self._loaded
            return self._measured(job, start(job.architecture, job.start), should_stop)
        deadline, artifacts, precision = Deadline(job.left_s), self.setting.artifacts, self.setting.precision
        training = self._training(job)
        trainer = training.resumed(artifacts.get(job.checkpoint), precision) or training.begun(precision)
        begun, first_step = time.perf_counter(), trainer.step
        train(
            trainer,
            job.steps - job.begun_at,
            on_step=lambda step, loss: on_progress(Progress(job.number, job.begun_at + step, job.steps, loss)),
            ends=lambda: should_stop() or deadline.is_over,
            save=lambda: artifacts.put(job.checkpoint, trainer.save),
        )
        train_s = time.perf_counter() - begun
        if job.begun_at + trainer.step < job.steps:
            return Stopped(job.number, train_s)
        measured = self._measured(job, trainer.averaged_network(), should_stop)
        return replace(measured, train_s=train_s, steps_made=trainer.step - first_step)

    def _measured(self, job: RungJob, network: nn.Module, should_stop: Callable[[], bool]) -> Measured:
        """``network`` in the number format of the job, its weights written down; with no training in it."""
        begun = time.perf_counter()
        setting = self.setting
        form, ranges = network, None
        if job.compression.dtype == INT8:
            pools = pools_of(self.pool, setting.rules, len(networks_of(network)))
            form = quantized_on(network, pools, job.compression.float_layers)
            ranges = int8_ranges(form)
        quality = evaluate(form, asking(self.pairs, should_stop), setting.rules, setting.precision.device)
        eval_s = time.perf_counter() - begun
        about = self._about(job, quality, ranges)
        setting.artifacts.put(job.weights, lambda path: save_weights(path, network, about.metadata()))
        return Measured(
            job.number, quality.psnr_db, quality.ssim, quality.psnr_db_by_image, 0.0, 0, eval_s, quality.others_db
        )

    def _about(self, job: RungJob, quality: Quality, ranges: list[dict[str, Range]] | None) -> About:
        setting = self.setting
        facts = setting.origin.facts(
            trial=job.number,
            rung=job.rung,
            steps=job.steps,
            seed=job.seed,
            plan=setting.plan.after(job.shared_steps).to_dict(),
            metrics=metrics_row(setting.rules, setting.origin.val_data, quality),
            shared_steps=job.shared_steps,
        )
        if job.compression != UNCOMPRESSED:
            facts["compression"] = job.compression.to_dict()
        if ranges is not None:
            facts["int8_ranges"] = ranges
        return About(f"{setting.origin.run}#{job.number}", job.architecture, setting.rules, facts)

    def _time(self, job: TimingJob, should_stop: Callable[[], bool]) -> Timed:
        """Seconds per training step: the least of ``TIMED_STEPS`` after the first, for other work on the machine can
        only add to it; where one takes long, that one."""
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
        rules, plan = self.setting.rules, self.setting.plan
        training = Resumable(lambda: self._new(architecture, 0), 0, rules, plan, self.pool)
        trainer = training.begun(self.setting.precision)
        seconds: list[float] = []
        for step in range(1, 2 + TIMED_STEPS):
            should_stop()
            begun = time.perf_counter()
            trainer.train_to(step)
            seconds.append(time.perf_counter() - begun)
            if seconds[-1] > LONG_STEP_S:
                break
        return min(seconds[1:] or seconds)

    def _training(self, job: RungJob) -> Resumable:
        rules = self.setting.rules

        def make() -> nn.Module:
            if job.start:
                return self._loaded(job.architecture, job.start)
            return self._new(job.architecture, job.seed)

        loss = None
        if job.teacher is not None:
            loss = Distillation(rules.measure.loss, self._loaded(*job.teacher), TEACHER_WEIGHT)
        return Resumable(make, job.seed, rules, self.setting.plan.after(job.shared_steps), self.pool, loss)

    def _new(self, architecture: Architecture, seed: int) -> nn.Module:
        return build(architecture, torch.Generator().manual_seed(seed))

    def _loaded(self, architecture: Architecture, weights: str) -> nn.Module:
        path = self.setting.artifacts.get(weights)
        if path is None:
            raise RuntimeError(f"the weights that a compressed network begins with are gone: {weights}")
        network = build(architecture)
        load_weights(path, network)
        return network.to(self.setting.precision.device).eval()

    def _inherited(self, architecture: Architecture, bank: str) -> nn.Module:
        if bank not in self._banks:
            path = self.setting.artifacts.get(bank)
            if path is None:
                raise RuntimeError(f"the weights that networks share are gone: {bank}")
            self._banks[bank] = read_bank(path)
        return self._banks[bank].network(architecture).to(self.setting.precision.device).eval()


def training_seed(run_seed: int, architecture_key: str) -> int:
    """The seed of a network's weights and patches, from the run's seed and ``Architecture.key``."""
    return int.from_bytes(hashlib.sha256(f"{run_seed}/{architecture_key}".encode()).digest()[:4], "big")
