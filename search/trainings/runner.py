"""One process's part: trains what it is given from its last checkpoint, measures it, writes record and weights."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from evaluators.cost import architecture_costs
from evaluators.data import validation_pairs
from evaluators.evaluate import baseline, evaluate
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from evaluators.training.trainer import Trainer
from evaluators.training.weights import save_weights
from search.environment import environment
from search.jobs import Answer, Progress, Stopped, answered
from search.trainings.data_words import describe, pictures
from search.trainings.training import CHECKPOINT_FILE, WEIGHTS_FILE, SetResult, Training, TrainingRecord
from space.build import build
from space.errors import UserError
from space.tasks import TASKS

SAVE_EVERY_S = 60  # what a kill can cost
SECONDS_FILE = "seconds.txt"  # training time of the sittings so far, beside the checkpoint


@dataclass(frozen=True)
class TrainingJob:
    """``trial`` is its number among those of one sitting; ``pool`` holds its training patches."""

    trial: int
    training: Training
    folder: Path
    pool: Path
    train_data: str
    stop_at: float


@dataclass(frozen=True)
class Finished:
    trial: int
    record: TrainingRecord


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
        job.folder.mkdir(parents=True, exist_ok=True)
        trainer, training = self._trainer(job), job.training
        earlier_s, begun = _earlier_seconds(job.folder), time.perf_counter()

        def ends() -> bool:
            return time.time() > job.stop_at or should_stop()

        while trainer.step < training.steps and not ends():
            save_at = time.monotonic() + SAVE_EVERY_S
            trainer.train_to(
                training.steps,
                on_step=lambda step, loss: on_progress(Progress(job.trial, step, training.steps, loss)),
                should_stop=lambda at=save_at: time.monotonic() > at or ends(),
            )
            (job.folder / SECONDS_FILE).write_text(f"{earlier_s + time.perf_counter() - begun:.3f}\n")
            trainer.save(job.folder / CHECKPOINT_FILE)
        train_s = earlier_s + time.perf_counter() - begun
        if trainer.step < training.steps:
            return Stopped(job.trial, train_s)

        network = trainer.averaged_network()
        record = self._record(job, network, train_s)
        about = {"network": training.name, "steps": str(training.steps), "architecture": training.architecture.key}
        save_weights(job.folder / WEIGHTS_FILE, network, about)
        record.write(job.folder)
        for name in (CHECKPOINT_FILE, SECONDS_FILE):
            (job.folder / name).unlink(missing_ok=True)
        return Finished(job.trial, record)

    def _trainer(self, job: TrainingJob) -> Trainer:
        """Continue from the checkpoint, or begin: a damaged one means from the start, with the same seed."""
        training = job.training
        pool = PatchPool.open(job.pool, training.rules.finish_patches)
        path = job.folder / CHECKPOINT_FILE
        if path.exists():
            try:
                return Trainer.load(
                    path, self._network(training), pool, self.precision, training.plan, training.rules.loss
                )
            except UserError:
                (job.folder / SECONDS_FILE).unlink(missing_ok=True)
        return Trainer(self._network(training), pool, training.plan, self.precision, training.seed, training.rules.loss)

    def _network(self, training: Training) -> torch.nn.Module:
        return build(training.architecture, torch.Generator().manual_seed(training.seed))

    def _record(self, job: TrainingJob, network: torch.nn.Module, train_s: float) -> TrainingRecord:
        training = job.training
        rules, size = training.rules, TASKS[training.rules.task].input_sizes[training.rules.scale]
        costs = architecture_costs(training.architecture, size)
        results = {}
        for word in training.test:
            found = pictures(word, self.data_root, rules, validates=True)
            pairs = validation_pairs(found, rules)
            quality, without = evaluate(network, pairs, rules, self.precision.device), baseline(pairs, rules)
            results[word] = SetResult(
                quality.psnr_db,
                quality.ssim,
                without.psnr_db,
                without.ssim,
                len(pairs),
                describe(word, self.data_root, found, rules, validates=True),
                quality.others_db,
            )
        return TrainingRecord(
            training=training,
            params=costs.params,
            macs=costs.macs,
            peak_activation_bytes=costs.peak_activation_bytes,
            input_size=size,
            results=results,
            train_s=train_s,
            train_data=job.train_data,
            environment=environment(self.precision, self.side_by_side, self.threads),
            command=self.command,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def _earlier_seconds(folder: Path) -> float:
    try:
        return float((folder / SECONDS_FILE).read_text())
    except (OSError, ValueError):
        return 0.0
