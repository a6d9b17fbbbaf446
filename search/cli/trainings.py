"""What ``reproduce``, ``queue`` and ``study`` share: options, and a sitting with its progress lines."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from evaluators.training.precision import choose_precision
from latency_tables.cli.console import Console
from search.cli.interrupts import noted_interrupts
from search.cli.parser import parse_processes, parse_time
from search.environment import available_cores
from search.jobs import Progress
from search.trainings.side_by_side import Outcome, Sitting, default_count, run_trainings
from search.trainings.training import Training, TrainingRecord

PROGRESS_EVERY_S = 30


def add_sitting_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--time", help="such as 20m; the same command continues (default: no limit)")
    parser.add_argument("--device", help="cpu, cuda or cuda:N (default: cuda where present)")
    parser.add_argument("--side-by-side", help="trainings at a time (default: one per core, or 4 on a GPU)")
    parser.add_argument("--data", type=Path, help="folder that the named data folders lie in")


def sitting_of(options: argparse.Namespace, folder: Path) -> Sitting:
    precision = choose_precision(options.device)
    count = default_count(precision)
    if options.side_by_side is not None:
        count = parse_processes("--side-by-side", options.side_by_side, count)
    return Sitting(
        folder,
        options.data,
        precision,
        count,
        max(1, available_cores() // count),
        parse_time(options.time) if options.time else None,
        "python -m search " + shlex.join(sys.argv[1:]),
    )


def sit(trainings: Sequence[Training], sitting: Sitting, console: Console) -> tuple[Outcome, int]:
    """Run them with a line per event; the outcome and the exit status. Ctrl-C stops with checkpoints."""
    with noted_interrupts() as interrupted:
        outcome = run_trainings(trainings, sitting, _Lines(console), interrupted)
    console.print(
        f"{len(outcome.finished)} of {len(trainings)} trainings are finished"
        + (f", {len(outcome.failed)} failed" if outcome.failed else "")
        + ("; the same command continues" if outcome.left else ""),
        highlight=False,
    )
    if outcome.problem:
        print(f"error: stopped, {outcome.problem}; free some space and give the same command again", file=sys.stderr)
        return outcome, 1
    return outcome, 130 if interrupted() else 1 if outcome.failed else 0


class _Lines:
    """One line per event; of each training's progress, one every half minute."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[str, float] = {}

    def started(self, training: Training, number: int, of: int) -> None:
        self._line(f"training {number} of {of}: {training.name} ({training.rules.title}) to {training.steps:,} steps")

    def progressed(self, training: Training, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._told.setdefault(training.folder_name, now) > PROGRESS_EVERY_S:
            self._told[training.folder_name] = now
            self._line(f"  {training.name}, seed {training.seed}: step {progress.step:,}, loss {progress.loss:.4f}")

    def finished(self, record: TrainingRecord) -> None:
        measured = ", ".join(f"{word} {result.psnr_db:.2f} dB" for word, result in record.results.items())
        training = record.training
        self._line(f"finished {training.name}, seed {training.seed}, after {record.train_s:.0f} s: {measured}")

    def failed(self, training: Training, reason: str) -> None:
        self._line(f"failed   {training.name}, seed {training.seed}: {reason}")

    def _line(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
