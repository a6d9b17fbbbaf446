"""``list``: the tables that ship."""

from __future__ import annotations

import argparse
import json

from rich.box import SIMPLE_HEAD
from rich.table import Table

from latency_tables.cli.console import Console
from latency_tables.tables.table import LatencyTable, load_table, table_names


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON array")


def execute(options: argparse.Namespace) -> int:
    tables = [load_table(name) for name in table_names()]
    if options.json:
        print(json.dumps([summary(table) for table in tables]))
        return 0
    shown = Table(pad_edge=False, box=SIMPLE_HEAD, caption="error: mean on network families unseen by the fit")
    shown.add_column("table", no_wrap=True)
    shown.add_column("error", justify="right", no_wrap=True)
    shown.add_column("of")
    for table in tables:
        error = summary(table)["held_out_error_percent"]
        shown.add_row(table.name, "–" if error is None else f"{error:.1f} %", table.caption)
    Console().print(shown)
    return 0


def summary(table: LatencyTable) -> dict[str, object]:
    """What distinguishes one table from another; the error is the mean on network families unseen by the fit."""
    return {
        "name": table.name,
        "device": table.device,
        "soc": table.soc,
        "core": table.core,
        "threads": table.threads,
        "dtype": table.dtype,
        "engine": table.engine,
        "engine_version": table.engine_version,
        "operators": len(table.shapes),
        "prices": len(table.classes),
        "held_out_error_percent": table.provenance.get("held_out", {}).get("lofo_mape"),
        "fingerprint": table.fingerprint,
    }
