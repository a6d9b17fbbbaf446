"""``study``: a comparison that settles a paper's claim, with its table and figure."""

from __future__ import annotations

import argparse
from pathlib import Path

from latency_tables.cli.console import Console
from reports.ablation_page import write_study
from search.cli.trainings import sit, sitting_of
from search.experiments.ablations import comparison
from space.command_line import parse_count


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
