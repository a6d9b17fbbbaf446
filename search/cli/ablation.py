"""``ablation``: test a paper's claim; writes a table and a figure."""

from __future__ import annotations

import argparse
from pathlib import Path

from latency_tables.cli.console import Console
from reports.experiments.ablation_page import write_ablation
from search.cli.ablation_teacher import check_unused, taught
from search.cli.experiments import run_session, session_of
from search.experiments.ablations import comparison
from space.command_line import parse_count


def execute(options: argparse.Namespace) -> int:
    ablation = comparison(options.name)
    folder = options.out or Path("runs") / f"ablation-{ablation.name}"
    steps = ablation.steps if options.steps is None else parse_count("--steps", options.steps, 1)
    seeds, train = parse_count("--seeds", options.seeds, 1), tuple(options.train.split(","))
    session, console = session_of(options, folder), Console()
    teacher_said = ""
    if ablation.teacher:
        teaching, status = taught(ablation, options, session, train, console)
        if teaching is None:
            return status
        ablation, teacher_said = teaching
        console.print(teacher_said, highlight=False, markup=False, soft_wrap=True)
    else:
        check_unused(options)
    trainings = ablation.trainings(steps, seeds, train, (options.test,))
    outcome, status = run_session(trainings, session, console)
    if any(record.training.name == ablation.base for record in outcome.finished):
        write_ablation(folder, ablation, outcome.finished, options.test, teacher_said)
        console.print(f"table and figure: {folder / 'README.md'}", highlight=False)
    return status
