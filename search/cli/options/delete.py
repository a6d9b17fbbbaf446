"""Options of ``delete``."""

from __future__ import annotations

import argparse

from search.cli.options.shared import RUN_HELP

DESCRIPTION = (
    "Delete a run: its trials, weights and reports. What the run did not write itself, such as models exported into "
    "its folder, stays. The command says what is lost and asks first."
)
EXAMPLES = (
    ("python -m search delete sr-x4-200k-params", "a run in runs/"),
    ("python -m search delete sr-x4-200k-params --yes", "in a script"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--yes", action="store_true", help="do not ask")
