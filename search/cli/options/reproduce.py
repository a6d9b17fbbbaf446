"""Options of ``reproduce``."""

from __future__ import annotations

import argparse
from pathlib import Path

from search.cli.options.shared import EMBEDDED, add_listed, add_training_options
from search.request.options import task_options
from space.tasks import TASKS

FOLDER = Path("runs/reproduce")
DESCRIPTION = (
    "The published networks: counts, then trained under one protocol and measured, published figures beside ours."
)
EXAMPLES = (
    ("python -m search reproduce --all --counts-only", "parameters and multiply-accumulates, no training"),
    ("python -m search reproduce s-lwsr16 fsrcnn --steps 2000", "two networks"),
    (
        "python -m search reproduce --task denoise --train BSDS500_train --test B100/HR --data data --time 2h",
        "your own data",
    ),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    wanted = parser.add_argument_group("which networks")
    wanted.add_argument("names", metavar="NAME", nargs="*", help="such as s-lwsr16 (see: python -m search list)")
    wanted.add_argument("--task", help=f"all networks of one of {', '.join(TASKS)}")
    wanted.add_argument("--all", action="store_true", help="all networks, the cheapest to train first")
    wanted.add_argument("--counts-only", action="store_true", help="parameters and multiply-accumulates, no training")
    add_listed(parser, task_options("upscaling factor (default: each paper's)"))
    how = parser.add_argument_group("protocol and data")
    how.add_argument("--steps", default="1000", help="of training (default: 1000)")
    how.add_argument("--protocol", default="short", help="one of short, long, large-batch (default: short)")
    how.add_argument("--train", default=EMBEDDED, help="data to train on, joined by commas (default: embedded)")
    how.add_argument("--test", default=EMBEDDED, help="data to measure on, joined by commas (default: embedded)")
    how.add_argument("--seed", default="0", help="of weights and patches (default: 0)")
    add_training_options(parser)
    files = parser.add_argument_group("results")
    files.add_argument("--out", type=Path, default=FOLDER, metavar="FOLDER", help=f"(default: {FOLDER})")
    files.add_argument("--json", action="store_true", help="print the counts, or a row per training and set, as JSON")
