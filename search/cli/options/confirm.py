"""Options of ``confirm``: those of ``search.request.confirm_options``, and how the answer is printed."""

from __future__ import annotations

import argparse

from search.cli.options.shared import RUN_HELP, add_listed
from search.request.confirm_options import CONFIRM_OPTIONS

DESCRIPTION = (
    "Train a run's front, and the published networks beside it, again from random weights with several seeds: means, "
    "spread, ties, and which members stay on the front. The same command continues what was stopped or killed."
)
EXAMPLES = (
    ("python -m search confirm sr-x4-200k-params", "three seeds, for as many steps as the front has had"),
    ("python -m search confirm sr-x4-200k-params --time 2h", "for as many steps as two hours carry"),
    ("python -m search confirm sr-x4-200k-params --members 5 --seeds 5 --json", "five of the front, as JSON too"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    add_listed(parser, CONFIRM_OPTIONS)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
