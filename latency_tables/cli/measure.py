"""``measure``: a latency table of your own device."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.table import Table

from latency_tables.cli.console import Console
from latency_tables.cli.measuring import add_device_options, open_harness, protocol_from, question_from, shown_progress
from latency_tables.measuring.extend import add_operators, own_operators
from latency_tables.measuring.measure import Check, Measured, Names, measure, summary
from latency_tables.measuring.plan import plan
from latency_tables.tables.pricing import kind_label
from space.errors import UserError

ROUNDS = 5


def add_options(parser: argparse.ArgumentParser) -> None:
    add_device_options(parser, ROUNDS, needs_task=False)
    parser.add_argument(
        "--network",
        action="append",
        default=[],
        metavar="NAME|FILE.pt2|MODULE:FACTORY",
        help="the operators of this network instead of a task's, added to the table --out if it is there; repeatable",
    )
    parser.add_argument(
        "--operators", type=Path, metavar="FILE.csv", help="those in the rows of this table, or a file with its columns"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="NAME.csv", help="the table; timings go beside it")
    parser.add_argument("--device-name", help="as captions name it (default: its host name)")
    parser.add_argument("--soc", help="as the table names it (default: the CPU model)")
    parser.add_argument("--core-name", help="such as Cortex-A76 (default: CPU model and core numbers)")
    parser.add_argument(
        "--differential", action="store_true", help="by chains of copies, for engines whose sums do not add up (MNN)"
    )


def execute(options: argparse.Namespace) -> int:
    own = bool(options.network or options.operators)
    if own == bool(options.task):
        raise UserError(f"measure must have --task, or --network or --operators, got {'both' if own else 'none'}")
    if options.out.suffix != ".csv" or not options.out.parent.is_dir():
        raise UserError(f"--out must be NAME.csv in a folder that exists, got {options.out}")
    return _execute_own(options) if own else _execute_task(options)


def _execute_own(options: argparse.Namespace) -> int:
    """Operators of the user's own."""
    operators = own_operators(options.network, options.input, options.operators)
    about = {
        "networks": options.network,
        "input": options.input or "each network's own",
        "operators": options.operators.name if options.operators else None,
    }
    console = Console(stderr=True)
    with open_harness(options, protocol_from(options), options.differential) as harness:
        console.print(f"{len(operators)} operators; Ctrl-C breaks off, the same command continues")
        names = Names(options.device_name, options.soc, options.core_name)
        with shown_progress(console, "timings") as progress:
            measured = add_operators(harness, operators, about, options.out, names, progress)
    report(Console(), options.out, measured)
    return 0


def _execute_task(options: argparse.Namespace) -> int:
    """The operators of a task's space."""
    task, scale, size = question_from(options)
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
    """Print the result, and the error of interpolation."""
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
