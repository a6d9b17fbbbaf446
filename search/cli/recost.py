"""``recost``: a run's front on other phones, in seconds, without training; the run itself stays as it is."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from latency_tables.cli.console import Console
from reports.run.recost import Recosted, only_on, rank_changes, summary, write_recost
from reports.run.tables import front_table
from search.api.run import load
from search.records import RunResult
from search.request.tables import tables_of
from search.request.values import parse_input, parse_tables, written_folder
from space.errors import UserError
from space.tasks import task


def execute(options: argparse.Namespace) -> int:
    uses = tables_of("--device", parse_tables("--device", options.device))
    run = load(options.run)
    settings = run.settings
    size = parse_input(options.input, task(settings.task), settings.scale) if options.input else settings.input_size
    console = Console(stderr=True) if options.json else Console()
    if not run.trained:
        console.print("No network of this run has been measured yet; there is nothing to price.")
        return 1
    console.print(
        f"{run.result.name}: {len(run.trained)} trained networks at an input of {size[0]}x{size[1]}, batch 1, on "
        + "; ".join(f"{use.name} ({use.caption})" for use in uses),
        highlight=False,
    )
    recosted = [run.recost(use.source, size).recosted for use in uses]
    target = written_folder("--out", options.out or run.folder / "recost")
    try:
        written = write_recost(run.result, recosted, target)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise UserError(f"--out must be a folder that can be written, got {target}: {error.strerror}") from None
    if options.json:
        print(json.dumps(summary(run.result, recosted), ensure_ascii=False))
    else:
        _show(console, run.result, recosted)
    console.print(f"written: {written.parent}", soft_wrap=True, highlight=False)
    return 0 if any(other.run.trials for other in recosted) else 1


def _show(console: Console, run: RunResult, recosted: Sequence[Recosted]) -> None:
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
