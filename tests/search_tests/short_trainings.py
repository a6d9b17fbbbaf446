"""Trainings of a few steps on three pictures, run as a worker runs them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from evaluators import data
from evaluators.tasks import rules_of
from evaluators.training.precision import Precision
from search.experiments.network_specs import named_architecture
from search.experiments.training import Training
from search.experiments.training_jobs import TrainingJob, TrainingRunner
from search.storage.artifacts import LocalArtifacts
from search.workers.failures import answered
from search.workers.messages import Progress

CPU = Precision("cpu", None, True, "test")
RULES = rules_of("sr", 2, {"channels": "y"})
STEPS = 8


def training(**changes: object) -> Training:
    arch = named_architecture("ecbsr-m4c8", 2)
    values = {"protocol": "long", "steps": STEPS, "seed": 3, "train": ("train",), "test": ("test",)}
    return Training("ecbsr-m4c8", arch, RULES, **{**values, **changes})


def job(root: Path, folder: str, what: Training | None = None, **changes: object) -> TrainingJob:
    what = what or training()
    pool = root / "pool"
    if not pool.exists():
        data.training_pool(data.training_images(root / "train", RULES), RULES).save(pool)
    artifacts = LocalArtifacts(root / folder)
    made = TrainingJob(number=0, training=what, artifacts=artifacts, pool=pool, train_data="three pictures")
    return replace(made, **changes)


def run(root: Path, what: TrainingJob, stop_after: int | None = None):
    """The answer; told to stop after ``stop_after`` further steps."""
    told: list[Progress] = []
    runner = TrainingRunner(root, CPU, 1, 1, "python -m search test")
    return answered(
        what.number, lambda: runner.run(what, told.append, lambda: stop_after is not None and len(told) >= stop_after)
    )
