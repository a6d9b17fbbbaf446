"""``queue``: the next trainings of a queue file, within a time limit."""

from __future__ import annotations

import argparse
from pathlib import Path

from latency_tables.cli.console import Console
from reports.reproduction import write_reproduction
from search.cli.trainings import add_sitting_options, sit, sitting_of
from search.trainings.queue_file import read_queue
from search.trainings.training import Begun, Training, TrainingRecord, records_in

RUNS = Path("runs")


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("queue", help="train the next networks of a queue file")
    parser.add_argument("file", metavar="FILE", type=Path, help="CSV file of trainings in priority order")
    parser.add_argument("--out", type=Path, help="where records and weights go (default: runs/ and FILE's name)")
    parser.add_argument("--list", action="store_true", help="say what is done, begun and waiting, and train nothing")
    add_sitting_options(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    trainings = read_queue(options.file)
    folder = options.out or RUNS / options.file.stem
    console = Console()
    if options.list:
        for training in trainings:
            console.print(_line(training, folder), highlight=False, markup=False, soft_wrap=True)
        return 0
    _, status = sit(trainings, sitting_of(options, folder), console)
    if records := records_in(folder):
        write_reproduction(folder, records)
        console.print(f"published beside ours: {folder / 'README.md'}", highlight=False, soft_wrap=True)
    return status


def _line(training: Training, folder: Path) -> str:
    """What is done of ``training``, and what it is."""
    own = folder / training.folder_name
    begun, record = Begun.read(own), TrainingRecord.read(own)
    if record:
        state = "measuring" if record.lacks(training) else "done"
    else:
        state = f"step {begun.step:,}" if begun else "waiting"
    return (
        f"{state:12} {training.name} ({training.rules.title}), {training.protocol}, {training.steps:,} steps, "
        f"seed {training.seed}"
    )
