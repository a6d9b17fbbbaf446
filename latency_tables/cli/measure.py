"""``measure``: a latency table of your own device."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.table import Table

from latency_tables.cli.console import Console
from latency_tables.cli.measuring import (
    add_device_options,
    open_harness,
    protocol_from,
    question_from,
    shown_progress,
)
from latency_tables.estimate import kind_label
from latency_tables.harness.measure import Check, Measured, Names, measure, summary
from latency_tables.harness.plan import plan
from space.errors import UserError

ROUNDS = 5


def add_options(parser: argparse.ArgumentParser) -> None:
    add_device_options(parser, ROUNDS)
    parser.add_argument("--out", type=Path, required=True, metavar="NAME.csv", help="the table; timings go beside it")
    parser.add_argument("--device-name", help="as captions name it (default: its host name)")
    parser.add_argument("--soc", help="as the table names it (default: the CPU model)")
    parser.add_argument("--core-name", help="such as Cortex-A76 (default: CPU model and core numbers)")
    parser.add_argument(
        "--differential", action="store_true", help="by chains of copies, for engines whose sums do not add up (MNN)"
    )


def execute(options: argparse.Namespace) -> int:
    task, scale, size = question_from(options)
    if options.out.suffix != ".csv" or not options.out.parent.is_dir():
        raise UserError(f"--out must be NAME.csv in a folder that exists, got {options.out}")
    console = Console(stderr=True)
    with open_harness(options, protocol_from(options), options.differential) as harness:
        harness.session.describe()  # a device that is not there shows before the plan is made
        planned = plan(task, scale, size)
        about = {"task": task.name, "scale": scale, "input": f"{size[0]}x{size[1]}"}
        console.print(
            f"{len(planned.grid)} operators of {task.name} x{scale} at {about['input']}, {len(planned.check)} more to "
            f"check interpolation; Ctrl-C breaks off, the same command continues"
        )
        names = Names(options.device_name, options.soc, options.core_name)
        with shown_progress(console, "timings") as progress:
            measured = measure(harness, planned, about, options.out, names, progress)
    report(Console(), options.out, measured)
    return 0


def report(console: Console, out: Path, measured: Measured) -> None:
    """What came of it, and what interpolation costs."""
    provenance = measured.table.provenance
    console.print(f"{out}: {len(measured.table.shapes)} operators, {measured.table.caption}")
    drift = max(map(abs, provenance["drift"].values()), default=0.0)
    console.print(
        f"{provenance['seconds']} s on the device; reference drifted by {100 * drift:.1f} % at most; "
        f"{100 * provenance['interrupted_runs']:.0f} % of runs were interrupted"
    )
    for name, reason in measured.failures.items():
        console.print(f"failed: {name}: {reason}", markup=False)
    if measured.checks:
        console.print(_check_table(measured))


def _check_table(measured: Measured) -> Table:
    """By kind of operator, those at image sizes of the table and those at others apart."""
    shown = Table(title="shapes that are not in the table: interpolated against measured", pad_edge=False)
    for heading in ("kind", "shapes", "median error", "worst", "median noise"):
        shown.add_column(heading, justify="left" if heading == "kind" else "right")
    pixels = {op.pixels for op in measured.table.shapes}
    rows: dict[str, list[Check]] = {}
    for own_size, where in ((True, ""), (False, ", other sizes")):
        checks = [check for check in measured.checks if (check.operator.pixels in pixels) == own_size]
        for check in checks:
            rows.setdefault(kind_label(check.operator) + where, []).append(check)
        if checks:
            rows["all" + where] = checks
    for name, checks in rows.items():
        figures = summary(tuple(checks))
        cells = (f"{100 * figures[key]:.1f} %" for key in ("median_error", "worst_error", "median_noise"))
        shown.add_row(name, str(figures["shapes"]), *cells)
    return shown
