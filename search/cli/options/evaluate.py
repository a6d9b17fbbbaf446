"""Options of ``evaluate``."""

from __future__ import annotations

import argparse
from pathlib import Path

from search.cli.options.shared import add_listed
from search.request.options import task_options

DESCRIPTION = "PSNR and SSIM of a published network with given weights, by the papers' rules."
EXAMPLES = (
    ("python -m search evaluate smfanet --weights smfanet.pth --data Set5/HR", "the authors' weights"),
    ("python -m search evaluate s-lwsr16+skip --weights trial-1.safetensors", "weights of a run, embedded photographs"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="such as s-lwsr32 or s-lwsr16+skip (see: python -m search list)")
    parser.add_argument(
        "--weights",
        type=Path,
        required=True,
        metavar="FILE",
        help="torch or safetensors file with the authors' names or ours, also nested (FILE#PLACE takes one of several)",
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
