"""``show``: one table's figures and their provenance."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table

from latency_tables.cli.catalogue import summary
from latency_tables.cli.console import Console
from latency_tables.tables.rows import Row
from latency_tables.tables.table import load_table

SHOWN_OPERATORS = 40


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE", help="a name (see: python -m latency_tables list) or a CSV file")
    parser.add_argument("--all", action="store_true", help=f"more than {SHOWN_OPERATORS} measured operators")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def execute(options: argparse.Namespace) -> int:
    table = load_table(options.table)
    if options.json:
        rows = [{"operator": str(op), **asdict(row)} for op, row in table.shapes.items()]
        prices = [{"class": kind, "per": term, **asdict(row)} for (kind, term), row in table.classes.items()]
        print(
            json.dumps(
                {**summary(table), "provenance": dict(table.provenance), "operators": rows, "prices": prices},
                default=str,
            )
        )
        return 0
    console = Console()
    console.print(f"{table.name}: {table.caption}, {table.soc}")
    for key, value in table.provenance.items():
        if not isinstance(value, dict | list):
            console.print(f"  {key.replace('_', ' ')}: {value}")
        elif isinstance(value, dict):
            text = ", ".join(f"{name.replace('_', ' ')} {_short(entry)}" for name, entry in value.items())
            console.print(f"  {key.replace('_', ' ')}: {text}")
    if table.classes:
        console.print(
            _rows(
                "prices",
                ("class", "per"),
                [((kind, f"ms / {term}"), row) for (kind, term), row in table.classes.items()],
            )
        )
    if table.shapes:
        entries = [((str(op),), row) for op, row in table.shapes.items()]
        kept = entries if options.all else entries[:SHOWN_OPERATORS]
        console.print(_rows("operators", ("operator",), kept))
        if len(kept) < len(entries):
            console.print(f"{len(entries) - len(kept)} more operators: --all")
    return 0


def _rows(title: str, headings: tuple[str, ...], entries: Sequence[tuple[tuple[str, ...], Row]]) -> Table:
    shown = Table(title=title, title_justify="left", pad_edge=False)
    for heading in headings:
        shown.add_column(heading, no_wrap=True)
    for heading in ("ms", "± 90 %"):
        shown.add_column(heading, justify="right", no_wrap=True)
    for heading in ("origin", "source"):
        shown.add_column(heading)
    for words, row in entries:
        shown.add_row(*words, f"{row.latency_ms:.4g}", f"{row.relative_error:.0%}", row.origin, row.source)
    return shown


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
