"""Options of ``queue``."""

from __future__ import annotations

import argparse
from pathlib import Path

from search.cli.options.shared import add_training_options

DESCRIPTION = "Train the next networks of a queue file, several side by side."
EXAMPLES = (
    ("python -m search queue queue.csv --data data --time 2h", "as far as two hours go"),
    ("python -m search queue queue.csv --list", "what is done, begun and waiting"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="CSV file of trainings in priority order")
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="records and weights (default: runs/ and FILE's name)"
    )
    parser.add_argument("--list", action="store_true", help="say what is done, begun and waiting, and train nothing")
    add_training_options(parser)
