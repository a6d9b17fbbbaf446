"""``predict``: a network's milliseconds on one table, operator by operator."""

from __future__ import annotations

import argparse
import json
from collections import Counter

from rich.console import Console
from rich.table import Table

from latency_tables.estimate import predict, price
from latency_tables.fusion import network_operators
from latency_tables.table import load_table
from space.command_line import parse_size
from space.named_network import named_network


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("predict", help="a network's milliseconds on one table, operator by operator")
    parser.add_argument("table", metavar="TABLE", help="a name (see: python -m latency_tables list) or a CSV file")
    parser.add_argument("network", metavar="NAME|FILE.pt2|MODULE:FACTORY", help="a paper's network or your own")
    parser.add_argument("--input", help="WIDTHxHEIGHT of the network input (default: the network's own)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    table = load_table(options.table)
    own = named_network(options.network)
    size = parse_size("--input", options.input) if options.input else own.input_size
    own.check_size(size)
    operators = network_operators(own.network, own.in_channels, size)
    latency = predict(table, operators)
    rows = []
    for op, count in Counter(operators).items():
        found = price(table, op)
        rows.append({"operator": str(op), "count": count, "ms": count * found.ms, "origin": found.origin_text})
    rows.sort(key=lambda row: -row["ms"])
    if options.json:
        document = {
            "network": options.network, "table": table.name, "caption": table.caption, "input": f"{size[0]}x{size[1]}",
            "ms": latency.ms, "low": latency.low, "high": latency.high,
            "version_low": latency.version_low, "version_high": latency.version_high, "origin": latency.origin,
            "distance": latency.distance, "operators": rows,
        }  # fmt: skip
        print(json.dumps(document))
        return 0
    console = Console()
    band = f"{latency.low:,.4g} to {latency.high:,.4g}, 90 % band"
    if latency.version_high < latency.high:
        band += (
            f" for any version of {table.engine}; {latency.version_low:,.4g} to {latency.version_high:,.4g} for "
            f"{table.engine_version}, pinned"
        )
    console.print(
        f"[bold]{latency.ms:,.4g} ms[/bold] ({band}) for {options.network} at {size[0]}x{size[1]}, batch 1\n"
        f"{table.name}: {table.caption}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    shown = Table(pad_edge=False)
    for heading in ("operator", "calls", "ms", "share", "origin"):
        shown.add_column(heading, justify="left" if heading in ("operator", "origin") else "right")
    for row in rows:
        share = row["ms"] / latency.ms
        shown.add_row(row["operator"], str(row["count"]), f"{row['ms']:.4g}", f"{share:.1%}", row["origin"])
    console.print(shown)
    return 0
