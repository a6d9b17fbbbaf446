"""``compare``: the fronts of several runs on one plot, where they can be compared at all."""

from __future__ import annotations

import argparse
import json

from rich.box import SIMPLE_HEAD
from rich.table import Table

from latency_tables.cli.console import Console
from reports.run.compare_page import headline
from reports.run.compare_plot import protocol_in_words
from reports.run.comparing import ComparedFronts
from search.api.comparing import compare
from search.api.run import load
from search.pareto import SEED_NOISE_DB
from search.request.values import written_folder
from search.storage.runs_here import RUNS
from space.errors import UserError


def execute(options: argparse.Namespace) -> int:
    runs = [load(name) for name in options.runs]
    compared = compare(*runs)
    console = Console(stderr=True) if options.json else Console()
    console.print(f"{' and '.join(options.runs)}: {protocol_in_words(compared.over[0])}")
    default = RUNS / "-".join(["compare", *(run.result.name for run in runs)])
    target = written_folder("--out", options.out or default)
    try:
        page = compared.write(target)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        raise UserError(f"--out must be a folder that can be written, got {target}: {error.strerror}") from None
    if options.json:
        print(json.dumps({"comparisons": [each.to_dict() for each in compared.over]}, ensure_ascii=False))
    else:
        for each in compared.over:
            console.print()
            console.print(headline(each))
            console.print(_table(each))
        console.print(
            "dominated: the share of a run's front that the other run's front dominates, and in brackets by the seed "
            f"noise of {SEED_NOISE_DB:g} dB at least"
        )
    console.print(f"page: {page}", soft_wrap=True)
    return 0


def _table(compared: ComparedFronts) -> Table:
    names = [front.name for front in compared.fronts]
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("run", overflow="fold")
    for heading in ("budget", "members", "hypervolume", "of all", *(f"dominated by {name}" for name in names)):
        table.add_column(heading, justify="left" if heading == "budget" else "right")
    for front in compared.fronts:
        table.add_row(
            front.name,
            front.run.settings.budget or "no limit",
            str(len(front.members)),
            f"{front.hypervolume:.3f}",
            f"{front.share:.1%}",
            *(
                f"{front.dominated[name]:.0%} ({front.clearly[name]:.0%})" if name in front.dominated else "–"
                for name in names
            ),
        )
    return table
