"""``recost``: a run's front on other phones, in seconds, without training; the run itself stays as it is."""

from __future__ import annotations

import argparse
import json

from latency_tables.cli.console import Console
from search.cli.output import run_folder
from search.latency import tables_of
from search.option_values import parse_input, parse_tables, written_folder
from search.records import RunResult
from search.run_files import read_run
from space.errors import UserError
from space.tasks import task


def execute(options: argparse.Namespace) -> int:
    from reports.run.recost import recost, summary, write_recost

    uses = tables_of("--device", parse_tables("--device", options.device))
    folder = run_folder(options.run)
    run = read_run(folder)
    settings = run.settings
    size = parse_input(options.input, task(settings.task), settings.scale) if options.input else settings.input_size
    console = Console(stderr=True) if options.json else Console()
    networks = sum(bool(trial.rungs) for trial in run.trials)
    if not networks:
        console.print("No network of this run has been measured yet; there is nothing to price.")
        return 1
    console.print(
        f"{run.name}: {networks} trained networks at an input of {size[0]}x{size[1]}, batch 1, on "
        + "; ".join(f"{use.name} ({use.caption})" for use in uses),
        highlight=False,
    )
    recosted = [recost(run, use, size) for use in uses]
    target = written_folder("--out", options.out or folder / "recost")
    try:
        written = write_recost(run, recosted, target)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise UserError(f"--out must be a folder that can be written, got {target}: {error.strerror}") from None
    if options.json:
        print(json.dumps(summary(run, recosted), ensure_ascii=False))
    else:
        _show(console, run, recosted)
    console.print(f"written: {written.parent}", soft_wrap=True, highlight=False)
    return 0 if any(other.run.trials for other in recosted) else 1


def _show(console: Console, run: RunResult, recosted: list) -> None:
    from reports.run.recost import only_on, rank_changes
    from reports.run.tables import front_table

    for other in recosted:
        console.print(front_table(other.run, console.width))
        for trial, reason in other.refused:
            console.print(f"#{trial.trial} {trial.source} is left out: {reason}", markup=False, highlight=False)
        console.print()
    for (first, second), value in rank_changes(run, recosted).items():
        words = "too few networks" if value is None else f"{value:.3f}"
        console.print(f"rank correlation (Spearman) of {first} and ms on {second}: {words}", highlight=False)
    if len(recosted) > 1:
        for name, trials in only_on(recosted).items():
            numbers = ", ".join(f"#{trial}" for trial in trials) or "none"
            console.print(f"on the front of {name} but not on every other: {numbers}", highlight=False)
