"""What a worker that trains to the end is asked to do, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from search.experiments.training import Training, TrainingRecord
from search.storage.artifacts import ArtifactStore
from search.workers.messages import Job, Result


@dataclass(frozen=True, kw_only=True)
class StepTimingJob(Job):
    """Find out how long a step of a training takes, and a validation; nothing is kept.

    ``artifacts`` are the training's own, ``pool`` holds its patches, ``validation`` are the pairs that it is validated
    on (``evaluators.data.save_pairs``).
    """

    training: Training
    artifacts: ArtifactStore
    pool: Path
    validation: Path | None = None


@dataclass(frozen=True, kw_only=True)
class TrainingJob(StepTimingJob):
    """Train one network to the end, and measure it.

    ``train_data`` and ``validation_data`` say which pictures ``pool`` and ``validation`` are made of. With ``events``
    the curve is also written to that folder, for TensorBoard. Of a training that is finished only what its record lacks
    is measured.
    """

    train_data: str
    validation_data: str = ""
    events: Path | None = None


@dataclass(frozen=True)
class StepTimed(Result):
    step_s: float
    validation_s: float


@dataclass(frozen=True)
class Finished(Result):
    record: TrainingRecord
