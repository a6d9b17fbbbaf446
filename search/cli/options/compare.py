"""Options of ``compare``."""

from __future__ import annotations

import argparse
from pathlib import Path

DESCRIPTION = (
    "The fronts of runs on one plot, with their hypervolumes and how much of each the others dominate. The runs must "
    "share task, data, metric and a number of training steps."
)
EXAMPLES = (
    ("python -m search compare sr-x4-200k-params sr-x4-100k-params", "two runs in runs/"),
    ("python -m search compare first second third --out compared --json", "three, as JSON too"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of two runs or more, or their names in runs/")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="page, plots and table (default: runs/compare-RUN-RUN)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
