"""The jobs of an experiment: train a network to the end, or go on from its checkpoint, and measure it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from torch import nn

from evaluators.data import load_pairs, validation_pairs
from evaluators.quality import Quality, baseline, classical_baselines, evaluate
from evaluators.tasks import Pair, TaskRules
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from evaluators.training.weights import load_weights, save_weights
from search.environment import environment
from search.experiments.curve import Curve, rows_every
from search.experiments.data_specs import describe, pictures
from search.experiments.event_files import events_in
from search.experiments.trainables import built, known_costs, stored_params
from search.experiments.training import (
    BEGUN_FILE,
    CHECKPOINT_FILE,
    START_FILE,
    WEIGHTS_FILE,
    Begun,
    SetResult,
    Training,
    TrainingRecord,
)
from search.sessions.deadline import Deadline
from search.storage.artifacts import ArtifactStore
from search.workers.messages import Job, Progress, Result, Stopped
from search.workers.resumable import Resumable, asking, train
from space.errors import UserError
from space.tasks import TASKS

WARM_STEPS, TIMED_S, MOST_TIMED_STEPS = 2, 3.0, 10_000  # for the time of a step: not measured, and measured at most


@dataclass(frozen=True, kw_only=True)
class TrainingJob(Job):
    """Train one network to the end, and measure it; ``artifacts`` are its own.

    ``pool`` holds its training patches, ``train_data`` says of which pictures. ``validation`` are the pairs that it is
    validated on (``evaluators.data.save_pairs``), and ``validation_data`` says what they are. With ``events`` its curve
    is also written to that folder, for TensorBoard. Of a training that is finished only what its record lacks is
    measured.
    """

    training: Training
    artifacts: ArtifactStore
    pool: Path
    train_data: str
    validation: Path | None = None
    validation_data: str = ""
    events: Path | None = None


@dataclass(frozen=True, kw_only=True)
class StepTimingJob(Job):
    """Find out how long a step of a training takes, and a validation; nothing is kept."""

    training: Training
    artifacts: ArtifactStore
    pool: Path
    validation: Path | None = None


@dataclass(frozen=True)
class StepTimed(Result):
    step_s: float
    validation_s: float


@dataclass(frozen=True)
class Finished(Result):
    record: TrainingRecord


class _ToldToStop(Exception):
    """While measuring; what was measured before stays."""


@dataclass(frozen=True)
class TrainingRunner:
    """What all trainings of one session share, small enough to send to a new process."""

    data_root: Path | None
    precision: Precision
    side_by_side: int
    threads: int
    command: str

    def run(
        self, job: Job, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
    ) -> Result | Stopped:
        if isinstance(job, StepTimingJob):
            return self._timed(job, should_stop)
        assert isinstance(job, TrainingJob)
        deadline, artifacts = Deadline(job.left_s), job.artifacts

        def ends() -> bool:
            return should_stop() or deadline.is_over

        record = TrainingRecord.read(artifacts)
        if record is None:
            try:
                begun = self._train(job, on_progress, ends)
            except _ToldToStop:
                return Stopped(job.number)
            if begun.step < job.training.steps:
                return Stopped(job.number, begun.train_s)
            record = self._new_record(job, begun)
            record.write(artifacts)
        for name in (CHECKPOINT_FILE, BEGUN_FILE):
            artifacts.delete(name)
        network = self._loaded(job.training, _weights(artifacts))
        start = self._loaded(job.training, _start(artifacts)) if job.training.start else None
        try:
            if job.validation is not None and record.validation is None:
                pairs, without = _validation_set(job.validation, job.training.rules)
                result = self._result(network, start, job, job.validation_data, pairs, without, ends)
                record = replace(record, validation=result)
                record.write(artifacts)
            for spec in record.lacks(job.training):
                described, pairs, without = _test_set(spec, self.data_root, job.training.rules)
                result = self._result(network, start, job, described, pairs, without, ends)
                record = record.with_result(spec, result)
                record.write(artifacts)
        except _ToldToStop:
            return Stopped(job.number, record.train_s)
        return Finished(job.number, record)

    def _loaded(self, training: Training, weights: Path) -> nn.Module:
        network = built(training.architecture, training.seed)
        load_weights(weights, network)
        return network.to(self.precision.device).eval()

    def _train(self, job: TrainingJob, on_progress: Callable[[Progress], None], ends: Callable[[], bool]) -> Begun:
        """Train until the steps are made or it is told to stop; leaves a checkpoint, and weights at the end.

        It goes on in the precision in which it was begun.
        """
        artifacts, training = job.artifacts, job.training
        earlier = Begun.read(artifacts)
        if earlier is not None and earlier.train_data != job.train_data:
            raise UserError(
                f"training data must stay what {training.name} was begun with ({earlier.train_data}), got "
                f"{job.train_data}; delete {artifacts.where()} to begin again"
            )
        resumable = _resumable(training, job.pool, artifacts)
        continuing = self.precision.continuing(earlier.precision if earlier else None)
        trainer = resumable.resumed(artifacts.get(CHECKPOINT_FILE), continuing) or resumable.begun(self.precision)
        earlier_s = earlier.train_s if earlier is not None and trainer.step else 0.0
        losses = earlier.losses if earlier is not None and earlier.step == trainer.step else (0.0, 0)
        curve = Curve.read(artifacts, trainer.step, losses) if training.validate_every else None
        session_from = time.perf_counter()

        def seconds() -> float:
            return earlier_s + time.perf_counter() - session_from

        def so_far() -> Begun:
            losses = (curve.loss_sum, curve.losses) if curve else (0.0, 0)
            return Begun(trainer.step, seconds(), job.train_data, trainer.precision.name, losses)

        def save() -> None:
            if curve is not None:
                curve.write(artifacts)
            so_far().write(artifacts)
            artifacts.put(CHECKPOINT_FILE, trainer.save)

        def on_step(step: int, loss: float) -> None:
            if curve is not None:
                curve.add_loss(loss)
                if step % rows_every(training.steps) == 0:
                    curve.add_point(step, training.plan.learning_rate_at(step - 1), seconds())
            on_progress(Progress(job.number, step, training.steps, loss))

        def validate() -> None:
            assert curve is not None and job.validation is not None
            pairs, _ = _validation_set(job.validation, training.rules)
            network = trainer.averaged_network()
            psnr_db = evaluate(network, asking(pairs, _stopping(ends)), training.rules, self.precision.device).psnr_db
            last = curve.points[-1].loss if curve.points else None
            curve.add_point(trainer.step, training.plan.learning_rate_at(max(0, trainer.step - 1)), seconds(), psnr_db)
            curve.write(artifacts)
            loss = curve.points[-1].loss or last or math.nan
            on_progress(Progress(job.number, trainer.step, training.steps, loss, psnr_db))

        with events_in(job.events, trainer.step) as told:
            if curve is not None:
                curve.told = told
            while True:
                if curve is not None and training.is_validated_after(trainer.step):
                    if not curve.is_validated(trainer.step):
                        validate()
                if trainer.step == training.steps or ends():
                    break
                train(trainer, training.trained_until(trainer.step), on_step, ends, save)
        begun = so_far()
        if begun.step == training.steps:
            about = {"network": training.name, "steps": str(training.steps), "architecture": training.architecture.key}
            network = trainer.averaged_network()
            artifacts.put(WEIGHTS_FILE, lambda path: save_weights(path, network, about))
        return begun

    def _timed(self, job: StepTimingJob, should_stop: Callable[[], bool]) -> StepTimed:
        """The mean over ``TIMED_S`` seconds of steps, after some that warm up."""
        trainer = _resumable(job.training, job.pool, job.artifacts).begun(self.precision)
        trainer.train_to(WARM_STEPS, should_stop=should_stop)
        begun, first = time.perf_counter(), trainer.step

        def is_over() -> bool:
            return should_stop() or time.perf_counter() - begun > TIMED_S

        trainer.train_to(MOST_TIMED_STEPS, should_stop=lambda: is_over() and trainer.step > first)
        step_s = (time.perf_counter() - begun) / max(1, trainer.step - first)
        validation_s = 0.0
        if job.validation is not None:
            pairs, _ = _validation_set(job.validation, job.training.rules)
            begun = time.perf_counter()
            evaluate(
                trainer.averaged_network(),
                asking(pairs, _stopping(should_stop)),
                job.training.rules,
                self.precision.device,
            )
            validation_s = time.perf_counter() - begun
        return StepTimed(job.number, step_s, validation_s)

    def _trained_in(self, job: TrainingJob, begun: Begun) -> Precision:
        network = built(job.training.architecture, job.training.seed)
        return self.precision.for_network(network).continuing(begun.precision)

    def _result(
        self,
        network: nn.Module,
        start: nn.Module | None,
        job: TrainingJob,
        described: str,
        pairs: Sequence[Pair],
        without: Quality,
        ends: Callable[[], bool],
    ) -> SetResult:
        """Of ``network``, and of ``start`` where there is one.

        Raises:
            _ToldToStop: ``ends`` came true before the last picture.
        """
        rules, device = job.training.rules, self.precision.device
        quality = evaluate(network, asking(pairs, _stopping(ends)), rules, device)
        result = SetResult(
            quality.psnr_db, quality.ssim, without.psnr_db, without.ssim, len(pairs), described, quality.others_db
        )
        if start is not None:
            before = evaluate(start, asking(pairs, _stopping(ends)), rules, device)
            result = replace(result, start_psnr_db=before.psnr_db, start_ssim=before.ssim)
        if job.training.validate_every:
            classical = classical_baselines(tuple(asking(pairs, _stopping(ends))), rules)
            result = replace(result, classical_db={name: found.psnr_db for name, found in classical.items()})
        return result

    def _new_record(self, job: TrainingJob, begun: Begun) -> TrainingRecord:
        """Of what was trained, with nothing measured yet."""
        rules = job.training.rules
        size = TASKS[rules.task].input_sizes[rules.scale]
        costs = known_costs(job.training.architecture, size)
        return TrainingRecord(
            training=replace(job.training, test=()),
            params=costs.params if costs else stored_params(job.training.architecture),
            macs=costs.macs if costs else None,
            peak_activation_bytes=costs.peak_activation_bytes if costs else None,
            input_size=size,
            results={},
            train_s=begun.train_s,
            train_data=begun.train_data,
            environment=environment(self._trained_in(job, begun), self.side_by_side, self.threads),
            command=self.command,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def _resumable(training: Training, pool: Path, artifacts: ArtifactStore) -> Resumable:
    patches = PatchPool.open(pool, training.rules.degrade.finish_patches)

    def make() -> nn.Module:
        network = built(training.architecture, training.seed)
        if training.start:
            load_weights(_start(artifacts), network)
        return network

    return Resumable(make, training.seed, training.rules, training.plan, patches)


def _weights(artifacts: ArtifactStore) -> Path:
    return _there(artifacts, WEIGHTS_FILE, "weights of a finished training")


def _start(artifacts: ArtifactStore) -> Path:
    return _there(artifacts, START_FILE, "the weights that a training starts from")


def _there(artifacts: ArtifactStore, name: str, what: str) -> Path:
    path = artifacts.get(name)
    if path is None:
        raise UserError(f"{what} must lie at {artifacts.where(name)}, got nothing")
    return path


def _stopping(ends: Callable[[], bool]) -> Callable[[], None]:
    """To be asked before every picture; raises ``_ToldToStop``."""

    def go_on() -> None:
        if ends():
            raise _ToldToStop

    return go_on


@lru_cache(maxsize=4)
def _test_set(spec: str, root: Path | None, rules: TaskRules) -> tuple[str, tuple[Pair, ...], Quality]:
    """What a data spec means, its pictures, and what doing without a network gives on them."""
    found = pictures(spec, root, rules, validates=True)
    pairs = validation_pairs(found, rules)
    return describe(spec, root, found, rules, validates=True), tuple(pairs), baseline(pairs, rules)


@lru_cache(maxsize=2)
def _validation_set(path: Path, rules: TaskRules) -> tuple[tuple[Pair, ...], Quality]:
    """The pairs in a file, and what doing without a network gives on them."""
    pairs = load_pairs(path)
    return pairs, baseline(pairs, rules)
