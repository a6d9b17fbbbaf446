"""One process's part: trains what it is given from its last checkpoint, writes weights, measures, writes a record."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import torch

from evaluators.cost import architecture_costs
from evaluators.data import validation_pairs
from evaluators.evaluate import Quality, baseline, evaluate
from evaluators.tasks import Pair, TaskRules
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from evaluators.training.trainer import Trainer
from evaluators.training.weights import load_weights, save_weights
from search.deadline import Deadline
from search.environment import environment
from search.jobs import Answer, Progress, Stopped, answered
from search.experiments.data_specs import describe, pictures
from search.experiments.training import (
    BEGUN_FILE,
    CHECKPOINT_FILE,
    WEIGHTS_FILE,
    Begun,
    SetResult,
    Training,
    TrainingRecord,
)
from space.build import build
from space.errors import UserError
from space.tasks import TASKS

SAVE_EVERY_S = 30  # what a kill can cost


@dataclass(frozen=True)
class TrainingJob:
    """``trial`` is its number among those of one sitting; ``pool`` holds its training patches, ``train_data`` says of
    which pictures. Of a training that is finished only what its record lacks is measured.
    """

    trial: int
    training: Training
    folder: Path
    pool: Path
    train_data: str
    left_s: float = math.inf  # from when it is begun; then it stops with a checkpoint


@dataclass(frozen=True)
class Finished:
    trial: int
    record: TrainingRecord


class _ToldToStop(Exception):
    """While measuring; what was measured before stays."""


@dataclass(frozen=True)
class TrainingRunner:
    """What all trainings of one sitting share, small enough to send to a new process."""

    data_root: Path | None
    precision: Precision
    side_by_side: int
    threads: int
    command: str

    def run(
        self, job: TrainingJob, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
    ) -> Answer | Finished:
        """Train and measure; whatever goes wrong is its answer, never an exception."""
        return answered(job.trial, lambda: self._run(job, on_progress, should_stop))

    def _run(
        self, job: TrainingJob, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
    ) -> Answer | Finished:
        deadline = Deadline(job.left_s)

        def ends() -> bool:
            return should_stop() or deadline.is_over

        job.folder.mkdir(parents=True, exist_ok=True)
        record = TrainingRecord.read(job.folder)
        if record is None:
            begun = self._train(job, on_progress, ends)
            if begun.step < job.training.steps:
                return Stopped(job.trial, begun.train_s)
            record = self._new_record(job, begun)
            record.write(job.folder)
        for name in (CHECKPOINT_FILE, BEGUN_FILE):
            (job.folder / name).unlink(missing_ok=True)
        network = self._network(job.training)
        load_weights(job.folder / WEIGHTS_FILE, network)
        network = network.to(self.precision.device).eval()
        for word in record.lacks(job.training):
            try:
                record = record.with_result(word, self._measured(network, job, word, ends))
            except _ToldToStop:
                return Stopped(job.trial, record.train_s)
            record.write(job.folder)
        return Finished(job.trial, record)

    def _train(self, job: TrainingJob, on_progress: Callable[[Progress], None], ends: Callable[[], bool]) -> Begun:
        """Train until the steps are made or it is told to stop; leaves a checkpoint, and weights at the end."""
        earlier, training = Begun.read(job.folder), job.training
        if earlier is not None and earlier.train_data != job.train_data:
            raise UserError(
                f"training data must stay what {training.name} was begun with ({earlier.train_data}), got "
                f"{job.train_data}; delete {job.folder} to begin again"
            )
        trainer, sitting_from = self._trainer(job, earlier), time.perf_counter()
        earlier_s = earlier.train_s if earlier is not None and trainer.step else 0.0

        def so_far() -> Begun:
            seconds = earlier_s + time.perf_counter() - sitting_from
            return Begun(trainer.step, seconds, job.train_data, trainer.precision.word)

        while trainer.step < training.steps and not ends():
            save_at = time.monotonic() + SAVE_EVERY_S
            trainer.train_to(
                training.steps,
                on_step=lambda step, loss: on_progress(Progress(job.trial, step, training.steps, loss)),
                should_stop=lambda at=save_at: time.monotonic() > at or ends(),
            )
            so_far().write(job.folder)
            trainer.save(job.folder / CHECKPOINT_FILE)
        begun = so_far()
        if begun.step == training.steps:
            about = {"network": training.name, "steps": str(training.steps), "architecture": training.architecture.key}
            save_weights(job.folder / WEIGHTS_FILE, trainer.averaged_network(), about)
        return begun

    def _trainer(self, job: TrainingJob, earlier: Begun | None) -> Trainer:
        """Continue from the checkpoint, in the precision it was begun in, or begin: a damaged one means from the start,
        with the same seed."""
        training = job.training
        pool = PatchPool.open(job.pool, training.rules.finish_patches)
        path = job.folder / CHECKPOINT_FILE
        if path.exists():
            try:
                precision = self.precision.continuing(earlier.precision if earlier else None)
                return Trainer.load(path, self._network(training), pool, precision, training.plan, training.rules.loss)
            except UserError:
                pass
        return Trainer(self._network(training), pool, training.plan, self.precision, training.seed, training.rules.loss)

    def _trained_in(self, job: TrainingJob, begun: Begun) -> Precision:
        return self.precision.for_network(self._network(job.training)).continuing(begun.precision)

    def _network(self, training: Training) -> torch.nn.Module:
        return build(training.architecture, torch.Generator().manual_seed(training.seed))

    def _measured(self, network: torch.nn.Module, job: TrainingJob, word: str, ends: Callable[[], bool]) -> SetResult:
        """Of all pictures that ``word`` means.

        Raises:
            _ToldToStop: ``ends`` came true before the last picture.
        """

        def until_told() -> Iterator[Pair]:
            for pair in pairs:
                if ends():
                    raise _ToldToStop
                yield pair

        rules = job.training.rules
        described, pairs, without = _test_set(word, self.data_root, rules)
        quality = evaluate(network, until_told(), rules, self.precision.device)
        return SetResult(
            quality.psnr_db, quality.ssim, without.psnr_db, without.ssim, len(pairs), described, quality.others_db
        )

    def _new_record(self, job: TrainingJob, begun: Begun) -> TrainingRecord:
        """Of what was trained, with nothing measured yet."""
        rules = job.training.rules
        size = TASKS[rules.task].input_sizes[rules.scale]
        costs = architecture_costs(job.training.architecture, size)
        return TrainingRecord(
            training=replace(job.training, test=()),
            params=costs.params,
            macs=costs.macs,
            peak_activation_bytes=costs.peak_activation_bytes,
            input_size=size,
            results={},
            train_s=begun.train_s,
            train_data=begun.train_data,
            environment=environment(self._trained_in(job, begun), self.side_by_side, self.threads),
            command=self.command,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
        )


@lru_cache(maxsize=4)
def _test_set(word: str, root: Path | None, rules: TaskRules) -> tuple[str, tuple[Pair, ...], Quality]:
    """What a data word means, its pictures, and what doing without a network gives on them."""
    found = pictures(word, root, rules, validates=True)
    pairs = validation_pairs(found, rules)
    return describe(word, root, found, rules, validates=True), tuple(pairs), baseline(pairs, rules)
