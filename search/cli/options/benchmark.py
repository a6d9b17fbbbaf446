"""Options of ``benchmark``."""

from __future__ import annotations

import argparse
from pathlib import Path

from search.cli.options.shared import add_training_options

DESCRIPTION = "A table of trainings: what designs of a task reach after 100 to 1,600 steps, and what they cost."
EXAMPLES = (
    ("python -m search benchmark --task sr --out benchmark/sr-x4 --time 2h", "as far as two hours go"),
    ("python -m search benchmark --task denoise --out benchmark/denoise --list", "what is done, begun and waiting"),
    ("python -m search benchmark --task sr --out benchmark/sr-x4 --inherited", "what designs inherit from families"),
    ("python -m search benchmark --task sr --out benchmark/sr-x4 --signals", "what the table says so far"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--task", required=True, help="sr (x4) or denoise (sigma 25)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="the table (default: runs/benchmark-TASK)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="say what is done, begun and waiting, and train nothing")
    what.add_argument(
        "--signals",
        action="store_true",
        help="how each cheap signal (rungs, costs, zero-cost proxies, what is inherited) ranks the designs trained so "
        "far; train nothing",
    )
    what.add_argument(
        "--inherited",
        action="store_true",
        help="train families of networks that share weights, and measure what the designs inherit, instead of training "
        "the designs; one family after another",
    )
    add_training_options(parser)
