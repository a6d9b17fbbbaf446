"""Options of ``ablation``."""

from __future__ import annotations

import argparse
from pathlib import Path

from search.cli.options.shared import EMBEDDED, add_training_options

DESCRIPTION = "Test a paper's claim: vary one choice, keep everything else equal, several seeds."
EXAMPLES = (
    ("python -m search ablation upsamplers --steps 1000 --seeds 3", "its table and figure go to runs/"),
    ("python -m search ablation distil-sr --teacher-weights smfanet-plus.pth", "a small network taught by a large one"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    names = "upsamplers, recursion, malleconv, precision, distil-raw, distil-sr, blocks-sr, blocks-denoise"
    parser.add_argument("name", metavar="NAME", help=f"one of {names}")
    parser.add_argument(
        "--steps", help="of each training (default: 1000; of the distil studies 2000, of the blocks studies 1600)"
    )
    parser.add_argument("--seeds", default="3", help="trainings of each variant (default: 3)")
    parser.add_argument("--train", default=EMBEDDED, help="data to train on, joined by commas (default: embedded)")
    parser.add_argument("--test", default=EMBEDDED, help="data to measure on (default: embedded)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="results (default: runs/ablation-NAME)")
    group = parser.add_argument_group("the teacher of distil-raw and distil-sr")
    group.add_argument(
        "--teacher",
        metavar="NETWORK",
        help="a trained network: RUN#TRIAL, a model folder, a published network (default: of distil-sr smfanet-plus, "
        "of distil-raw one of twice the student's width that is trained first)",
    )
    group.add_argument("--teacher-weights", metavar="FILE", help="of a published network that teaches")
    group.add_argument("--teacher-steps", default="3000", metavar="N", help="of one trained first (default: 3000)")
    add_training_options(parser)
