"""``proxies.csv``: the zero-cost proxies of a benchmark's designs, and the seconds that each design's took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from evaluators import data
from evaluators.proxies import PROXIES, Batch, scores
from evaluators.tasks import TaskRules
from search.experiments.benchmark import Benchmark, rows_in
from search.experiments.trainables import built
from space.files import write_csv_atomically

PROXIES_FILE = "proxies.csv"
COLUMNS = ("name", "architecture", *PROXIES, "seconds")
SEED = 0  # of the weights, those that the first training of a design begins with, and of the patches


def read_proxies(folder: Path) -> list[dict[str, str]]:
    """The rows of ``proxies.csv``; a score that is not a finite number is empty. Raises as ``rows_in``."""
    return rows_in(folder / PROXIES_FILE, COLUMNS)


def completed_proxies(benchmark: Benchmark) -> Iterator[str]:
    """Compute what ``proxies.csv`` lacks, and write it after every design; yields the design's name."""
    rows = {row["architecture"]: row for row in read_proxies(benchmark.folder)}
    missing = [each for each in benchmark.designs if each.architecture.key not in rows]
    batch = patches(benchmark.task.rules) if missing else None
    for design in missing:
        assert batch is not None
        begun = time.perf_counter()
        found = scores(built(design.architecture, SEED), batch)
        seconds = time.perf_counter() - begun
        rows[design.architecture.key] = {
            "name": design.name,
            "architecture": design.architecture.key,
            **{name: "" if np.isnan(value) else f"{value:.6g}" for name, value in found.items()},
            "seconds": f"{seconds:.2f}",
        }
        lines = [[row[column] for column in COLUMNS] for row in rows.values()]
        write_csv_atomically(benchmark.folder / PROXIES_FILE, [COLUMNS, *lines])
        yield design.name


def patches(rules: TaskRules) -> Batch:
    """One batch of the task's own plan, of the embedded photographs."""
    pool = data.training_pool(data.training_images(None, rules), rules)
    inputs, targets = pool.sample(np.random.default_rng(SEED), rules.degrade.plan.batch, rules.degrade.plan.patch_px)
    return Batch(inputs, targets, rules.measure.loss)
