"""``fit``: refit the shipped tables to the published measurements."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.table import Table

from latency_tables.cli.console import Console
from latency_tables.fitting.tables import SHIPPED, build_table
from latency_tables.tables.table import DATA, LatencyTable, write_table
from space.errors import UserError


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tables", metavar="TABLE", nargs="*", help="such as pixel4-a76 (default: all that are shipped)")
    parser.add_argument("--to", type=Path, default=DATA, metavar="FOLDER", help="default: where shipped tables lie")


def execute(options: argparse.Namespace) -> int:
    unknown = [name for name in options.tables if name not in SHIPPED]
    if unknown:
        raise UserError(
            f"TABLE must be one that the published measurements give, got {unknown[0]!r}; "
            f"those are {', '.join(SHIPPED)}"
        )
    if not options.to.is_dir():
        raise UserError(f"--to must be a folder that exists, got {options.to}")
    shown = _held_out_table()
    for name in options.tables or SHIPPED:
        table = build_table(name)
        write_table(options.to / f"{name}.csv", table)
        shown.add_row(name, *_held_out_cells(table))
    Console().print(shown)
    return 0


def _held_out_table() -> Table:
    shown = Table(
        title="held-out networks: mean absolute error in percent (in brackets: of the reference fit)", pad_edge=False
    )
    for heading in ("table", "families left out", "networks left out", "Spearman", "within 90 % band"):
        shown.add_column(heading, justify="left" if heading == "table" else "right", no_wrap=heading == "table")
    return shown


def _held_out_cells(table: LatencyTable) -> tuple[str, ...]:
    figures = table.provenance["held_out"]
    return (
        f"{figures['lofo_mape']:.1f} ({figures['reference_lofo_mape']:.1f})",
        f"{figures['lomo_mape']:.1f} ({figures['reference_lomo_mape']:.1f})",
        f"{figures['spearman']:.3f}",
        f"{100 * figures['coverage_90']:.0f} %",
    )
