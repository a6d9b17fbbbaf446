"""Options of ``ablation``."""

from __future__ import annotations

import argparse
from pathlib import Path

from search.cli.options.shared import EMBEDDED, add_training_options

DESCRIPTION = "Test a paper's claim: vary one choice, keep everything else equal, several seeds."
EXAMPLES = (("python -m search ablation upsamplers --steps 1000 --seeds 3", "its table and figure go to runs/"),)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="one of upsamplers, recursion, malleconv, precision")
    parser.add_argument("--steps", default="1000", help="of each training (default: 1000)")
    parser.add_argument("--seeds", default="3", help="trainings of each variant (default: 3)")
    parser.add_argument("--train", default=EMBEDDED, help="data to train on, joined by commas (default: embedded)")
    parser.add_argument("--test", default=EMBEDDED, help="data to measure on (default: embedded)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="results (default: runs/ablation-NAME)")
    add_training_options(parser)
