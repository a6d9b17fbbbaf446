"""Options for the inputs of a user's own network, parsed by ``network_input``."""

from __future__ import annotations

import argparse


def add_input_options(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--input",
        "--inputs",
        metavar="WIDTHxHEIGHT[,...]",
        help=f"of the network input (default: {default}); of several inputs one size for all, or each one's: "
        "320x180,80x45",
    )
    parser.add_argument(
        "--channels",
        metavar="C[,C...]",
        help="of each input of MODULE:FACTORY, such as 3,1 for an image and a mask (default: one image, with the "
        "channels of the first convolution)",
    )
