"""Options of ``evaluate``."""

from __future__ import annotations

import argparse
from pathlib import Path

from search.cli.options.shared import NETWORK_HELP, add_listed
from search.request.options import task_options

DESCRIPTION = "PSNR and SSIM of a trained network, by the papers' rules."
EXAMPLES = (
    ("python -m search evaluate smfanet --weights smfanet.pth --data Set5/HR", "the authors' weights"),
    ("python -m search evaluate runs/mine#6 --data photos", "a trial of a run, with its own weights and task"),
    ("python -m search evaluate trial-6.safetensors", "a run's weights file alone, on the embedded photographs"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NETWORK", help=NETWORK_HELP)
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="of a published network: torch or safetensors file with the authors' names or ours, also nested "
        "(FILE#PLACE takes one of several)",
    )
    parser.add_argument(
        "--data",
        metavar="FOLDER[@LIST]",
        help="images, or those that a text file names, a name a line (default: embedded validation photographs)",
    )
    add_listed(parser, task_options("upscaling factor (default: what the weights say, else the paper's)"))
    parser.add_argument(
        "--self-ensemble", action="store_true", help="sr: mean over 8 flips and turns of the input, at 8 times the cost"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
