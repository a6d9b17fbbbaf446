"""Options of ``report``."""

from __future__ import annotations

import argparse
from pathlib import Path

from search.cli.options.shared import RUN_HELP
from search.request.options import FRAMES_HELP

DESCRIPTION = "Write a run's tables, plots and page again."
EXAMPLES = (("python -m search report sr-x4-200k-params", "a run in runs/"),)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--frames", type=Path, metavar="FOLDER", help=FRAMES_HELP)
    parser.add_argument("--json", action="store_true", help="print the front as JSON")
