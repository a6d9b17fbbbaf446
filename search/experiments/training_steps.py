"""The steps of one training: continued from its checkpoint, validated on the way, with its curve."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from torch import nn

from evaluators.data import load_pairs
from evaluators.quality import Quality, baseline, evaluate
from evaluators.tasks import Pair, TaskRules
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from evaluators.training.trainer import Trainer
from evaluators.training.weights import load_weights, save_weights
from search.experiments.curve import Curve, rows_every
from search.experiments.event_files import events_in
from search.experiments.int8_ranges import Int8Ranges, deployed
from search.experiments.teachers import loss_of
from search.experiments.trainables import built
from search.experiments.training import CHECKPOINT_FILE, START_FILE, WEIGHTS_FILE, Begun, Training
from search.experiments.training_messages import StepTimed, StepTimingJob, TrainingJob
from search.models.about import About
from search.storage.artifacts import ArtifactStore
from search.workers.messages import Progress
from search.workers.resumable import Resumable, asking, train
from space.errors import UserError

WARM_STEPS, TIMED_S, MOST_TIMED_STEPS = 2, 3.0, 10_000  # for the time of a step: not measured, and measured at most


class ToldToStop(Exception):
    """Amid the measuring of pictures; what was done before stays."""


def make_steps(
    job: TrainingJob,
    precision: Precision,
    about: Callable[[Training, Begun], About],
    on_progress: Callable[[Progress], None],
    ends: Callable[[], bool],
) -> Begun:
    """Train until the steps are made or ``ends`` comes true; leaves a checkpoint, and weights at the end.

    It goes on in the precision in which it was begun. ``about`` gives what the file of the weights says of them.

    Raises:
        UserError: it was begun with other training data.
        ToldToStop: ``ends`` came true while it was validated.
    """
    training, artifacts = job.training, job.artifacts
    earlier = Begun.read(artifacts)
    if earlier is not None and earlier.train_data != job.train_data:
        raise UserError(
            f"training data must stay what {training.name} was begun with ({earlier.train_data}), got "
            f"{job.train_data}; delete {artifacts.where()} to begin again"
        )
    resumable = _resumable(job)
    continuing = precision.continuing(earlier.precision if earlier else None)
    trainer = resumable.resumed(artifacts.get(CHECKPOINT_FILE), continuing) or resumable.begun(precision)
    steps = _Steps(job, trainer, earlier if trainer.step else None, on_progress, ends)
    with events_in(job.events, trainer.step) as told:
        steps.curve.told = told
        steps.validate_if_due()
        while trainer.step < training.steps and not ends():
            train(trainer, training.trained_until(trainer.step), steps.on_step, ends, steps.save)
            steps.validate_if_due()
    begun = steps.so_far()
    if begun.step == training.steps:
        metadata, network = about(training, begun).metadata(), trainer.averaged_network()
        if training.int8:
            network = deployed(network, begun_network(training, artifacts))
        artifacts.put(WEIGHTS_FILE, lambda path: save_weights(path, network, metadata))
    return begun


class _Steps:
    """What happens beside the steps of a session; ``earlier`` is where it continues."""

    def __init__(
        self,
        job: TrainingJob,
        trainer: Trainer,
        earlier: Begun | None,
        on_progress: Callable[[Progress], None],
        ends: Callable[[], bool],
    ) -> None:
        self._job, self._trainer, self._on_progress, self._ends = job, trainer, on_progress, ends
        self._begun, self._earlier_s = time.perf_counter(), earlier.train_s if earlier else 0.0
        losses = earlier.losses if earlier is not None and earlier.step == trainer.step else (0.0, 0)
        self._keeps_curve = job.training.is_validated
        self.curve = Curve.read(job.artifacts, trainer.step, losses) if self._keeps_curve else Curve()

    def so_far(self) -> Begun:
        trainer, curve = self._trainer, self.curve
        pending = (curve.loss_sum, curve.losses) if self._keeps_curve else (0.0, 0)
        return Begun(trainer.step, self._seconds(), self._job.train_data, trainer.precision.name, pending)

    def save(self) -> None:
        """The curve first and the checkpoint last: a curve that is too long is cut when it is read again."""
        if self._keeps_curve:
            self.curve.write(self._job.artifacts)
        self.so_far().write(self._job.artifacts)
        self._job.artifacts.put(CHECKPOINT_FILE, self._trainer.save)

    def on_step(self, step: int, loss: float) -> None:
        steps = self._job.training.steps
        self.curve.add_loss(loss)
        if self._keeps_curve and step % rows_every(steps) == 0:
            self.curve.add_point(step, self._rate(step), self._seconds())
        self._on_progress(Progress(self._job.number, step, steps, loss))

    def validate_if_due(self) -> None:
        """Measure the averaged weights, where that is to be done after this step and was not.

        Raises:
            ToldToStop: the session ends before the last picture.
        """
        job, trainer, training = self._job, self._trainer, self._job.training
        if not training.is_validated_after(trainer.step) or self.curve.is_validated(trainer.step):
            return
        assert job.validation is not None
        pairs, _ = validation_set(job.validation, training.rules)
        network, device = trainer.averaged_network(), trainer.precision.device
        psnr_db = evaluate(network, asking(pairs, stopping(self._ends)), training.rules, device).psnr_db
        self.curve.add_point(trainer.step, self._rate(trainer.step), self._seconds(), psnr_db)
        self.curve.write(job.artifacts)
        loss = self.curve.points[-1].loss
        self._on_progress(
            Progress(job.number, trainer.step, training.steps, math.nan if loss is None else loss, psnr_db)
        )

    def _rate(self, step: int) -> float:
        """Of the update that made ``step``."""
        return self._trainer.plan.learning_rate_at(max(0, step - 1))

    def _seconds(self) -> float:
        return self._earlier_s + time.perf_counter() - self._begun


def time_of_steps(job: StepTimingJob, precision: Precision, should_stop: Callable[[], bool]) -> StepTimed:
    """The mean over ``TIMED_S`` seconds of steps, after some that warm up, and the time of one validation.

    Raises:
        ToldToStop: ``should_stop()`` while it was validated.
    """
    trainer = _resumable(job).begun(precision)
    trainer.train_to(WARM_STEPS, should_stop=should_stop)
    begun, first = time.perf_counter(), trainer.step

    def is_over() -> bool:
        return should_stop() or (trainer.step > first and time.perf_counter() - begun > TIMED_S)

    trainer.train_to(MOST_TIMED_STEPS, should_stop=is_over)
    step_s = (time.perf_counter() - begun) / max(1, trainer.step - first)
    validation_s = 0.0
    if job.validation is not None:
        pairs, _ = validation_set(job.validation, job.training.rules)
        begun, network = time.perf_counter(), trainer.averaged_network()
        evaluate(network, asking(pairs, stopping(should_stop)), job.training.rules, precision.device)
        validation_s = time.perf_counter() - begun
    return StepTimed(job.number, step_s, validation_s)


def stopping(ends: Callable[[], bool]) -> Callable[[], None]:
    """To be asked before every picture; raises ``ToldToStop``."""

    def go_on() -> None:
        if ends():
            raise ToldToStop

    return go_on


@lru_cache(maxsize=2)
def validation_set(path: Path, rules: TaskRules) -> tuple[tuple[Pair, ...], Quality]:
    """The pairs in a file, and what doing without a network gives on them."""
    pairs = load_pairs(path)
    return pairs, baseline(pairs, rules)


def start_weights(artifacts: ArtifactStore) -> Path:
    """Raises: UserError: the weights that a training starts from are gone."""
    path = artifacts.get(START_FILE)
    if path is None:
        raise UserError(
            f"the weights that a training starts from must lie at {artifacts.where(START_FILE)}, got nothing"
        )
    return path


def begun_network(training: Training, artifacts: ArtifactStore) -> nn.Module:
    """In float, with the weights that ``training`` starts from."""
    network = built(training.architecture, training.seed)
    if training.start:
        load_weights(start_weights(artifacts), network)
    return network


def _resumable(job: StepTimingJob) -> Resumable:
    training, artifacts = job.training, job.artifacts
    patches = PatchPool.open(job.pool, training.rules.degrade.finish_patches)

    def make() -> nn.Module:
        network = begun_network(training, artifacts)
        return Int8Ranges.read(artifacts).network(network) if training.int8 else network

    loss = loss_of(training.loss, training.rules)
    return Resumable(make, training.seed, training.rules, training.plan, patches, loss)
