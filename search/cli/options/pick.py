"""Options of ``pick``."""

from __future__ import annotations

import argparse

from search.cli.options.shared import RUN_HELP

DESCRIPTION = (
    "The network of a run to take under other limits, the two next to it on the front, and the commands that train and "
    "export it. Nothing is trained."
)
EXAMPLES = (
    ("python -m search pick sr-x4-200k-params --budget 800ms@pixel4-a76", "the best that one phone has time for"),
    ("python -m search pick sr-x4-200k-params --prefer latency", "the cheapest that is as good as the best"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument(
        "--budget",
        metavar="LIMIT[,LIMIT]",
        help="limits as for `run`, with any latency table: 100k-params, 800ms@pixel4-a76 (default: the run's)",
    )
    parser.add_argument(
        "--prefer",
        default="psnr",
        metavar="WHAT",
        help="psnr: the highest PSNR (default); latency: the cheapest whose PSNR is within the seed noise of the "
        "highest, by the first limit in milliseconds, else by the first limit, else by the run's first cost",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
