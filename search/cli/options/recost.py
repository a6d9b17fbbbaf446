"""Options of ``recost``."""

from __future__ import annotations

import argparse
from pathlib import Path

from search.cli.options.shared import RUN_HELP

DESCRIPTION = "A run's front on other phones, in seconds, without training."
EXAMPLES = (("python -m search recost sr-x4-200k-params --device a03s-a53,pixel4-a76", "two phones"),)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument(
        "--device",
        required=True,
        metavar="TABLE[,TABLE]",
        help="latency tables, by name or path (see: python -m latency_tables list)",
    )
    parser.add_argument("--input", metavar="WIDTHxHEIGHT", help="network input (default: the run's)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="tables, plots and pages (default: RUN/recost)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
