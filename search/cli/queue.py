"""``queue``: the next trainings of a queue file, within a time limit."""

from __future__ import annotations

import argparse
from pathlib import Path

from latency_tables.cli.console import Console
from reports.experiments.reproduction import write_reproduction
from search.cli.experiments import run_session, session_of
from search.experiments.queue_file import read_queue
from search.experiments.sessions import artifacts_of
from search.experiments.training import Begun, Training, TrainingRecord, records_in

RUNS = Path("runs")


def execute(options: argparse.Namespace) -> int:
    trainings = read_queue(options.file)
    folder = options.out or RUNS / options.file.stem
    console = Console()
    if options.list:
        for training in trainings:
            console.print(_line(training, folder), highlight=False, markup=False, soft_wrap=True)
        return 0
    _, status = run_session(trainings, session_of(options, folder), console)
    if records := records_in(folder):
        write_reproduction(folder, records)
        console.print(f"published beside ours: {folder / 'README.md'}", highlight=False, soft_wrap=True)
    return status


def _line(training: Training, folder: Path) -> str:
    """What is done of ``training``, and what it is."""
    artifacts = artifacts_of(training, folder)
    begun, record = Begun.read(artifacts), TrainingRecord.read(artifacts)
    if record:
        state = "measuring" if record.lacks(training) else "done"
    else:
        state = f"step {begun.step:,}" if begun else "waiting"
    return (
        f"{state:12} {training.name} ({training.rules.title}), {training.protocol}, {training.steps:,} steps, "
        f"seed {training.seed}"
    )
