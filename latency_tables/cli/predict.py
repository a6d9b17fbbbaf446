"""``predict``: a network's milliseconds on one table, operator by operator."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from typing import Any

from rich.table import Table

from latency_tables.cli.console import Console
from latency_tables.cli.input_options import add_input_options
from latency_tables.cli.network_input import input_sizes, parse_channels
from latency_tables.lowering.fusion import network_operators
from latency_tables.tables.estimate import explain, price
from latency_tables.tables.table import load_table
from space.named_network import named_network


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE", help="a name (see: python -m latency_tables list) or a CSV file")
    parser.add_argument(
        "network",
        metavar="NAME|FILE.pt2|MODULE:FACTORY",
        help="a published network, or your own: MODULE is imported from this folder, which runs its code",
    )
    add_input_options(parser, "the network's own")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def execute(options: argparse.Namespace) -> int:
    table = load_table(options.table)
    own = named_network(options.network, channels=parse_channels(options.channels))
    size, more = input_sizes(options.input, own)
    operators = network_operators(own.network, own.in_channels, size, more)
    explained = explain(table, operators)
    latency = explained.latency
    rows: list[dict[str, Any]] = []
    for op, count in Counter(operators).items():
        found = price(table, op)
        assert found is not None  # ``predict`` has refused the others
        rows.append({"operator": str(op), "count": count, "ms": count * found.ms, "origin": found.origin_text})
    rows.sort(key=lambda row: -row["ms"])
    if options.json:
        document = {
            "network": options.network,
            "table": table.name,
            "caption": table.caption,
            "input": f"{size[0]}x{size[1]}",
            **latency.to_dict(),
            "version_low": explained.version_low,
            "version_high": explained.version_high,
            "distance": explained.distance,
            "operators": rows,
        }
        print(json.dumps(document))
        return 0
    console = Console()
    band = f"{latency.low:,.4g} to {latency.high:,.4g}, 90 % band"
    if explained.version_high < latency.high:
        band += (
            f" for any version of {table.engine}; {explained.version_low:,.4g} to {explained.version_high:,.4g} for "
            f"{table.engine_version}, pinned"
        )
    console.print(
        f"{latency.ms:,.4g} ms ({band}) for {options.network} at {size[0]}x{size[1]}, batch 1\n"
        f"{table.name}: {table.caption}"
    )
    if not rows:
        console.print("no operator runs: it gives back what it gets, and costs nothing")
        return 0
    shown = Table(pad_edge=False)
    for heading in ("operator", "calls", "ms", "share", "origin"):
        shown.add_column(heading, justify="left" if heading in ("operator", "origin") else "right")
    for row in rows:
        share = row["ms"] / latency.ms if latency.ms else 0.0
        shown.add_row(row["operator"], str(row["count"]), f"{row['ms']:.4g}", f"{share:.1%}", row["origin"])
    console.print(shown)
    return 0
