"""``calibrate``: a table for a board on which a few whole networks were timed."""

from __future__ import annotations

import argparse
from pathlib import Path

from latency_tables.fitting.calibrate import calibrate
from latency_tables.fitting.timings import COLUMNS, read_timings
from latency_tables.tables.table import load_table, write_table
from space.errors import UserError


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("table", metavar="TABLE", help="to start from: a name, or a CSV file")
    parser.add_argument(
        "--from", dest="timings", type=Path, required=True, metavar="TIMINGS.csv", help=f"columns {', '.join(COLUMNS)}"
    )
    parser.add_argument("--out", type=Path, metavar="NAME.csv", help="default: TABLE-calibrated.csv")


def execute(options: argparse.Namespace) -> int:
    table, timings = load_table(options.table), read_timings(options.timings)
    out = options.out or Path(f"{table.name}-calibrated.csv")
    if out.suffix != ".csv" or not out.parent.is_dir() or out.is_dir():
        raise UserError(f"--out must be NAME.csv in a folder that exists, got {out}")
    for given in (options.timings, Path(options.table)):
        if out.exists() and given.exists() and out.samefile(given):
            raise UserError(f"--out must be another file than those it is made from, got {out}; choose another name")
    calibration = calibrate(table, timings, out.stem)
    write_table(out, calibration.table)
    how = {"scale": "one scale for every price", "refit": "every price moved, drawn towards the scaled one"}[
        calibration.method
    ]
    print(f"from  {table.name}: {table.caption}")
    print(f"to    {out}: {calibration.table.caption}")
    print(f"{len(timings.latency_ms)} timings, {how}; the scale is {calibration.scale:.3f}")
    print(f"each network predicted without its own timing: {calibration.mape:.1f} % mean error")
    return 0
