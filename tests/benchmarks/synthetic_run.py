"""A run of any size without training: real architectures with their real costs, and quality by a formula with noise.

``python -m tests.benchmarks.synthetic_run FOLDER TRIALS`` leaves one on disk. Its journal is line by line what a search
writes; it is collected in memory and written once, for a search waits for the disk after every line.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend

from search.candidates.next_trial import next_trial
from search.records import RungResult, RunSettings
from search.request.budget import parse_budget
from search.request.tables import tables_of
from search.storage import NAME
from search.storage.journal import JOURNAL, _with_crc
from search.storage.study import Study
from search.storage.trial_attributes import directions
from space import TASKS

INPUT = (64, 36)
RUNGS = (100, 200, 400, 800)
REACHED = (0.5, 0.25, 0.15, 0.1)  # shares of the trials whose highest rung is the first, the second, ...
PICTURES = 6


class MemoryBackend(BaseJournalBackend):
    """Journal lines in memory, as JSON would bring them back."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        return (json.loads(line) for line in self.lines[log_number_from:])

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        self.lines += [json.dumps(_with_crc(log), separators=(",", ":")) for log in logs]


def settings(sampler: str = "random", budget: str = "200k-params", table: str | None = None) -> RunSettings:
    """Of a run of super-resolution at x4."""
    return RunSettings(
        task="sr",
        scale=4,
        budget=budget,
        objectives=("psnr", "macs"),
        input_size=INPUT,
        sampler=sampler,
        seed=0,
        rungs=RUNGS,
        workers=1,
        train_data="none",
        val_data="none",
        training={},
        environment={},
        created="2026-01-01T00:00:00+00:00",
        tables=tables_of("--latency", (table,) if table else ()),
    )


def write_run(folder: Path, trials: int, sampler: str = "tpe", table: str | None = None) -> None:
    """Write the journal of a run with ``trials`` trained networks, drawn at random, that goes on with ``sampler``."""
    backend = MemoryBackend()
    asked = settings(table=table)
    stored = optuna.create_study(
        study_name=NAME, storage=JournalStorage(backend), directions=directions(asked.objectives)
    )
    stored.set_user_attr("settings", asked.to_dict())
    study, generator = Study(stored), np.random.default_rng(0)
    budget, task = parse_budget(asked.budget), TASKS["sr"]
    study.note("baseline", {"psnr_db": 28.0})
    study.note("starts_queued", True)
    order = 0
    for _ in range(trials):
        record = next_trial(study, task, budget)
        first_db = 27.5 + 0.25 * (record.costs.macs / 1e7) ** 0.5 + generator.normal(0, 0.2)
        for rung in range(1 + int(generator.choice(len(RUNGS), p=REACHED))):
            order += 1
            psnr_db = round(first_db + 0.2 * rung + generator.normal(0, 0.02), 6)
            by_picture = {f"picture-{index}": psnr_db + index / 10 for index in range(PICTURES)}
            study.add_result(record.trial, RungResult(rung, RUNGS[rung], psnr_db, 0.8, 5.0, 0.3, by_picture, order))
    study.note("settings", settings(sampler, table=table).to_dict())
    study.note("elapsed_s", 3600.0)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / JOURNAL).write_text("\n".join(backend.lines) + "\n")


if __name__ == "__main__":
    write_run(Path(sys.argv[1]), int(sys.argv[2]))
