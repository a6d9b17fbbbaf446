"""``queue``: the next trainings of a queue file, within a time limit."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from reports.reproduction import write_reproduction
from search.cli.trainings import add_sitting_options, sit, sitting_of
from search.trainings.queue_file import read_queue
from search.trainings.training import CHECKPOINT_FILE, TrainingRecord


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("queue", help="train the next networks of a queue file")
    parser.add_argument("file", metavar="FILE", type=Path, help="CSV file of trainings in priority order")
    parser.add_argument("--out", type=Path, help="where records and weights go (default: FILE without its suffix)")
    parser.add_argument("--list", action="store_true", help="say what is done, begun and waiting, and train nothing")
    add_sitting_options(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    trainings = read_queue(options.file)
    folder = options.out or options.file.with_suffix("")
    console = Console()
    if options.list:
        for training in trainings:
            own = folder / training.folder_name
            state = "done" if TrainingRecord.read(own) else "begun" if (own / CHECKPOINT_FILE).exists() else "waiting"
            console.print(
                f"{state:8} {training.name} ({training.rules.title}), {training.steps:,} steps, seed {training.seed}",
                highlight=False, markup=False, soft_wrap=True,
            )  # fmt: skip
        return 0
    outcome, status = sit(trainings, sitting_of(options, folder), console)
    if outcome.finished:
        write_reproduction(folder, outcome.finished)
    return status
