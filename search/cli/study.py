"""``study``: a comparison that settles a paper's claim, with its table and figure."""

from __future__ import annotations

import argparse
from pathlib import Path

from latency_tables.cli.console import Console
from reports.study_page import write_study
from search.cli.trainings import add_sitting_options, sit, sitting_of
from search.trainings.data_words import EMBEDDED
from search.trainings.studies import STUDIES, comparison
from space.command_line import parse_count


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("study", help="test a paper's claim: one choice turned, everything else equal")
    parser.add_argument("name", metavar="NAME", help=f"one of {', '.join(STUDIES)}")
    parser.add_argument("--steps", default="1000", help="of each training (default: 1000)")
    parser.add_argument("--seeds", default="3", help="trainings of each variant (default: 3)")
    parser.add_argument("--train", default=EMBEDDED, help="data to train on, joined by commas (default: embedded)")
    parser.add_argument("--test", default=EMBEDDED, help="data to measure on (default: embedded)")
    parser.add_argument("--out", type=Path, help="where results are kept (default: runs/study-NAME)")
    add_sitting_options(parser)
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    study = comparison(options.name)
    folder = options.out or Path("runs") / f"study-{study.name}"
    trainings = study.trainings(
        parse_count("--steps", options.steps, 1),
        parse_count("--seeds", options.seeds, 1),
        tuple(options.train.split(",")),
        (options.test,),
    )
    console = Console()
    outcome, status = sit(trainings, sitting_of(options, folder), console)
    if any(record.training.architecture == study.variants[study.base] for record in outcome.finished):
        write_study(folder, study, outcome.finished, options.test)
        console.print(f"table and figure: {folder / 'README.md'}", highlight=False)
    return status
