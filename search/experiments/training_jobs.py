"""The jobs of an experiment: train a network to the end, or go on from its checkpoint, and measure it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from torch import nn

from evaluators.data import validation_pairs
from evaluators.quality import Quality, baseline, classical_baselines, evaluate
from evaluators.tasks import Pair, TaskRules
from evaluators.training.precision import Precision
from evaluators.training.weights import load_weights
from search.environment import environment
from search.experiments.data_specs import describe, pictures
from search.experiments.int8_ranges import Int8Ranges
from search.experiments.trainables import built, known_costs, params_of
from search.experiments.training import (
    BEGUN_FILE,
    CHECKPOINT_FILE,
    WEIGHTS_FILE,
    Begun,
    SetResult,
    Training,
    TrainingRecord,
)
from search.experiments.training_messages import Finished, StepTimingJob, TrainingJob
from search.experiments.training_steps import (
    ToldToStop,
    make_steps,
    start_weights,
    stopping,
    time_of_steps,
    validation_set,
)
from search.models.about import About
from search.models.files import network_with
from search.sessions.deadline import Deadline
from search.storage.artifacts import ArtifactStore
from search.workers.messages import Job, Progress, Result, Stopped
from search.workers.resumable import asking
from space.architecture import Architecture
from space.errors import UserError
from space.tasks import TASKS


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
        deadline = Deadline(job.left_s)

        def ends() -> bool:
            return should_stop() or deadline.is_over

        try:
            if isinstance(job, TrainingJob):
                return self._finish(job, on_progress, ends)
            assert isinstance(job, StepTimingJob)
            return time_of_steps(job, self.precision, ends)
        except ToldToStop:
            return Stopped(job.number)

    def _finish(
        self, job: TrainingJob, on_progress: Callable[[Progress], None], ends: Callable[[], bool]
    ) -> Finished | Stopped:
        """Train what is not trained, and measure what is not measured; raises ``ToldToStop`` while measuring."""
        artifacts, training = job.artifacts, job.training
        record = TrainingRecord.read(artifacts)
        if record is None:
            begun = make_steps(job, self.precision, self._about, on_progress, ends)
            if begun.step < training.steps:
                return Stopped(job.number, begun.train_s)
            record = self._new_record(job, begun)
            record.write(artifacts)
        for name in (CHECKPOINT_FILE, BEGUN_FILE):
            artifacts.delete(name)
        network = self._loaded(training, _weights(artifacts), artifacts)
        start = self._loaded(training, start_weights(artifacts), artifacts) if training.start else None
        if job.validation is not None and record.validation is None:
            pairs, without = validation_set(job.validation, training.rules)
            result = self._result(network, start, training, job.validation_data, pairs, without, stopping(ends))
            record = replace(record, validation=result)
            record.write(artifacts)
        for spec in record.lacks(training):
            described, pairs, without = _test_set(spec, self.data_root, training.rules)
            result = self._result(network, start, training, described, pairs, without, stopping(ends))
            record = record.with_result(spec, result)
            record.write(artifacts)
        return Finished(job.number, record)

    def _loaded(self, training: Training, weights: Path, artifacts: ArtifactStore) -> nn.Module:
        """The network as it is measured: in int8, where it is trained for it."""
        if training.int8 and isinstance(training.architecture, Architecture):
            network = Int8Ranges.read(artifacts).network(network_with(training.architecture, weights))
        else:
            network = built(training.architecture, training.seed)
            load_weights(weights, network)
        return network.to(self.precision.device).eval()

    def _result(
        self,
        network: nn.Module,
        start: nn.Module | None,
        training: Training,
        described: str,
        pairs: Sequence[Pair],
        without: Quality,
        go_on: Callable[[], None],
    ) -> SetResult:
        """Of ``network``, and of ``start`` where there is one; asks ``go_on`` before every picture."""
        rules, device = training.rules, self.precision.device
        quality = evaluate(network, asking(pairs, go_on), rules, device)
        result = SetResult(
            quality.psnr_db, quality.ssim, without.psnr_db, without.ssim, len(pairs), described, quality.others_db
        )
        if start is not None:
            before = evaluate(start, asking(pairs, go_on), rules, device)
            result = replace(result, start_psnr_db=before.psnr_db, start_ssim=before.ssim)
        if training.validate_every:
            classical = classical_baselines(pairs, rules)
            result = replace(result, classical_db={name: found.psnr_db for name, found in classical.items()})
        return result

    def _about(self, training: Training, begun: Begun) -> About:
        """What the file of its weights says of them."""
        facts = {
            "training": {
                "protocol": training.protocol,
                "steps": training.steps,
                "seed": training.seed,
                "plan": training.plan.to_dict(),
                **({} if training.loss.is_own else {"added loss": training.loss.said}),
                **({"rounded to": "int8, as LiteRT rounds"} if training.int8 else {}),
                "environment": self._environment(training, begun),
            },
            "data": {"training": begun.train_data},
        }
        network = training.architecture
        return About(training.name, network if isinstance(network, Architecture) else None, training.rules, facts)

    def _environment(self, training: Training, begun: Begun) -> dict[str, str]:
        network = built(training.architecture, training.seed)
        trained_in = self.precision.for_network(network).continuing(begun.precision)
        return environment(trained_in, self.side_by_side, self.threads)

    def _new_record(self, job: TrainingJob, begun: Begun) -> TrainingRecord:
        """Of what was trained, with nothing measured yet."""
        rules, network = job.training.rules, job.training.architecture
        size = TASKS[rules.task].input_sizes[rules.scale]
        costs = known_costs(network, size)
        return TrainingRecord(
            training=replace(job.training, test=()),
            params=params_of(network, costs),
            macs=costs.macs if costs else None,
            peak_activation_bytes=costs.peak_activation_bytes if costs else None,
            input_size=size,
            results={},
            train_s=begun.train_s,
            train_data=begun.train_data,
            environment=self._environment(job.training, begun),
            command=self.command,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
        )


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
