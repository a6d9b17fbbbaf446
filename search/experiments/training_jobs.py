"""The jobs of an experiment: train a network to the end, or go on from its checkpoint, and measure it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import torch

from evaluators.costs import architecture_costs
from evaluators.data import validation_pairs
from evaluators.quality import Quality, baseline, evaluate
from evaluators.tasks import Pair, TaskRules
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from evaluators.training.weights import load_weights, save_weights
from search.environment import environment
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
from search.models.about import About
from search.sessions.deadline import Deadline
from search.storage.artifacts import ArtifactStore
from search.workers.messages import Job, Progress, Result, Stopped
from search.workers.resumable import Resumable, asking, train
from space.build import build
from space.errors import UserError
from space.tasks import TASKS


@dataclass(frozen=True, kw_only=True)
class TrainingJob(Job):
    """Train one network to the end, and measure it; ``artifacts`` are its own.

    ``pool`` holds its training patches, ``train_data`` says of which pictures. Of a training that is finished only what
    its record lacks is measured.
    """

    training: Training
    artifacts: ArtifactStore
    pool: Path
    train_data: str


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
    ) -> Finished | Stopped:
        assert isinstance(job, TrainingJob)
        deadline, artifacts = Deadline(job.left_s), job.artifacts

        def ends() -> bool:
            return should_stop() or deadline.is_over

        record = TrainingRecord.read(artifacts)
        if record is None:
            begun = self._train(job, on_progress, ends)
            if begun.step < job.training.steps:
                return Stopped(job.number, begun.train_s)
            record = self._new_record(job, begun)
            record.write(artifacts)
        for name in (CHECKPOINT_FILE, BEGUN_FILE):
            artifacts.delete(name)
        network = build(job.training.architecture)
        load_weights(_weights(artifacts), network)
        network = network.to(self.precision.device).eval()
        for spec in record.lacks(job.training):
            try:
                record = record.with_result(spec, self._measured(network, job, spec, ends))
            except _ToldToStop:
                return Stopped(job.number, record.train_s)
            record.write(artifacts)
        return Finished(job.number, record)

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
        resumable = _resumable(training, job.pool)
        continuing = self.precision.continuing(earlier.precision if earlier else None)
        trainer = resumable.resumed(artifacts.get(CHECKPOINT_FILE), continuing) or resumable.begun(self.precision)
        earlier_s = earlier.train_s if earlier is not None and trainer.step else 0.0
        session_from = time.perf_counter()

        def so_far() -> Begun:
            seconds = earlier_s + time.perf_counter() - session_from
            return Begun(trainer.step, seconds, job.train_data, trainer.precision.name)

        def save() -> None:
            so_far().write(artifacts)
            artifacts.put(CHECKPOINT_FILE, trainer.save)

        train(
            trainer,
            training.steps,
            lambda step, loss: on_progress(Progress(job.number, step, training.steps, loss)),
            ends,
            save,
        )
        begun = so_far()
        if begun.step == training.steps:
            about, network = self._about(job, begun), trainer.averaged_network()
            artifacts.put(WEIGHTS_FILE, lambda path: save_weights(path, network, about.metadata()))
        return begun

    def _about(self, job: TrainingJob, begun: Begun) -> About:
        training = job.training
        facts = {
            "training": {
                "protocol": training.protocol,
                "steps": training.steps,
                "seed": training.seed,
                "plan": training.plan.to_dict(),
                "environment": self._environment(job, begun),
            },
            "data": {"training": begun.train_data},
        }
        return About(training.name, training.architecture, training.rules, facts)

    def _environment(self, job: TrainingJob, begun: Begun) -> dict[str, str]:
        return environment(self._trained_in(job, begun), self.side_by_side, self.threads)

    def _trained_in(self, job: TrainingJob, begun: Begun) -> Precision:
        network = _resumable(job.training, job.pool).network()
        return self.precision.for_network(network).continuing(begun.precision)

    def _measured(self, network: torch.nn.Module, job: TrainingJob, spec: str, ends: Callable[[], bool]) -> SetResult:
        """Of all pictures that ``spec`` means.

        Raises:
            _ToldToStop: ``ends`` came true before the last picture.
        """

        def go_on() -> None:
            if ends():
                raise _ToldToStop

        rules = job.training.rules
        described, pairs, without = _test_set(spec, self.data_root, rules)
        quality = evaluate(network, asking(pairs, go_on), rules, self.precision.device)
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
            environment=self._environment(job, begun),
            command=self.command,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def _resumable(training: Training, pool: Path) -> Resumable:
    patches = PatchPool.open(pool, training.rules.degrade.finish_patches)
    return Resumable(training.architecture, training.seed, training.rules, training.plan, patches)


def _weights(artifacts: ArtifactStore) -> Path:
    path = artifacts.get(WEIGHTS_FILE)
    if path is None:
        raise UserError(f"weights of a finished training must lie at {artifacts.where(WEIGHTS_FILE)}, got nothing")
    return path


@lru_cache(maxsize=4)
def _test_set(spec: str, root: Path | None, rules: TaskRules) -> tuple[str, tuple[Pair, ...], Quality]:
    """What a data spec means, its pictures, and what doing without a network gives on them."""
    found = pictures(spec, root, rules, validates=True)
    pairs = validation_pairs(found, rules)
    return describe(spec, root, found, rules, validates=True), tuple(pairs), baseline(pairs, rules)
