"""Options of ``dashboard``."""

from __future__ import annotations

import argparse

from search.cli.options.shared import RUN_HELP

PORT = "8080"
DESCRIPTION = "A run as it stands, in Optuna's dashboard, which the extra litefront[dashboard] installs."
EXAMPLES = (("python -m search dashboard sr-x4-200k-params", "then open the address that it prints"),)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN", help=RUN_HELP)
    parser.add_argument("--port", default=PORT, help=f"of the local address that is served (default: {PORT})")
