"""``ablation``: test a paper's claim; writes a table and a figure."""

from __future__ import annotations

import argparse
from pathlib import Path

from latency_tables.cli.console import Console
from reports.experiments.ablation_page import write_ablation
from search.cli.experiments import run_session, session_of
from search.experiments.ablations import comparison
from space.command_line import parse_count


def execute(options: argparse.Namespace) -> int:
    ablation = comparison(options.name)
    folder = options.out or Path("runs") / f"ablation-{ablation.name}"
    trainings = ablation.trainings(
        parse_count("--steps", options.steps, 1),
        parse_count("--seeds", options.seeds, 1),
        tuple(options.train.split(",")),
        (options.test,),
    )
    console = Console()
    outcome, status = run_session(trainings, session_of(options, folder), console)
    if any(record.training.architecture == ablation.variants[ablation.base] for record in outcome.finished):
        write_ablation(folder, ablation, outcome.finished, options.test)
        console.print(f"table and figure: {folder / 'README.md'}", highlight=False)
    return status
