"""``validate``: whole networks on the device, against what the table predicts for them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from latency_tables.cli.console import Console
from latency_tables.cli.measuring import add_device_options, open_harness, protocol_from, question_from, shown_progress
from latency_tables.measuring.plots import scatter
from latency_tables.measuring.validate import (
    LONGEST_MS,
    Point,
    agreement,
    draw_networks,
    noise_between,
    predictions,
    residual_of,
    validate,
    write_points,
)
from latency_tables.tables.table import LatencyTable, load_table, write_table
from space.command_line import parse_count
from space.errors import UserError
from space.files import write_text_atomically

ROUNDS = 3
NETWORKS, MOST_NETWORKS = 100, 100_000
FILES = ("networks.csv", "scatter.png", "summary.json")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE", help="a table that measure made of this device")
    add_device_options(parser, ROUNDS)
    parser.add_argument("--networks", default=str(NETWORKS), help=f"random ones of the space (default: {NETWORKS})")
    parser.add_argument("--twice", default="0", help="measure so many of them twice, which shows noise (default: 0)")
    parser.add_argument(
        "--record", action="store_true", help="write the errors into the table's provenance: its bands follow them"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help=f"for {', '.join(FILES)}")


def execute(options: argparse.Namespace) -> int:
    table = load_table(options.table)
    task, scale, size = question_from(options)
    count = parse_count("--networks", options.networks, 1, MOST_NETWORKS)
    twice = parse_count("--twice", options.twice, 0)
    if twice > count:
        raise UserError(f"--twice must be at most --networks, {count}, got {twice}")
    protocol = protocol_from(options, repeats=3, budget_s=2.0)
    about = {"task": task.name, "scale": scale, "input": f"{size[0]}x{size[1]}"}
    networks = draw_networks(task, scale, count)
    predicted = predictions(table, networks, size)  # what it cannot price shows before a device is asked for anything
    options.out.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    with open_harness(options, protocol) as harness, shown_progress(console, "timings") as progress:
        points = validate(harness, table, networks, twice, size, about, options.out, progress)
    slow = sum(each.latency.ms > LONGEST_MS for each in predicted.values())
    report = _summarise(table, points, {**about, **({"left_out": slow} if slow else {})})
    write_points(options.out / FILES[0], points)
    scatter(options.out / FILES[1], points, f"{table.caption}, input {about['input']}")
    write_text_atomically(options.out / FILES[2], json.dumps(report, indent=1) + "\n")
    show(Console(), report, points)
    if options.record:
        record(Path(options.table), table, points, report)
        Console().print(f"recorded in the provenance of {table.name}")
    return 0


def record(path: Path, table: LatencyTable, points: Sequence[Point], report: dict[str, Any]) -> None:
    """Write the validation results into the table, with a residual that makes its bands as wide as the errors.

    The residual changes the fingerprint: runs that used the table before cannot be continued with it.
    """
    if path.suffix != ".csv":
        raise UserError(f"--record must have a table that is a CSV file, got {path}")
    provenance = {**table.provenance, "residual": round(residual_of(points), 4), "validated": report}
    write_table(path, replace(table, provenance=provenance))


def _summarise(table: LatencyTable, points: Sequence[Point], about: dict[str, Any]) -> dict[str, Any]:
    """Everything that the summary file says."""
    noise = noise_between(points)
    found = {"table": table.name, "caption": table.caption, **about, **asdict(agreement(points))}
    if noise.size:
        found["twice"] = {
            "networks": len(noise),
            "mean_difference": float(np.abs(noise).mean()),
            "worst_difference": float(np.abs(noise).max()),
        }
    return found


def show(console: Console, report: dict[str, Any], points: Sequence[Point]) -> None:
    console.print(f"{report['caption']}, input {report['input']}, batch 1")
    console.print(
        f"{report['networks']} networks, {min(point.measured_ms for point in points):.0f} to "
        f"{max(point.measured_ms for point in points):.0f} ms: mean error {100 * report['mape']:.2f} % (bias "
        f"{100 * report['bias']:+.2f} %), {100 * report['within_5']:.1f} % within 5 %, "
        f"{100 * report['within_10']:.1f} % within 10 %, Spearman {report['spearman']:.4f}, "
        f"{100 * report['in_band']:.0f} % in the 90 % band"
    )
    if "left_out" in report:
        console.print(f"{report['left_out']} of more than {LONGEST_MS / 1e3:g} s by the table were left out")
    if "twice" in report:
        twice = report["twice"]
        console.print(
            f"noise: {twice['networks']} networks measured twice differ by {100 * twice['mean_difference']:.2f} % on "
            f"average, {100 * twice['worst_difference']:.1f} % at most"
        )
    biases = ", ".join(f"{kind} {100 * bias:+.1f} %" for kind, bias in report["kind_bias"].items())
    console.print(f"bias per kind of operator: {biases}")
