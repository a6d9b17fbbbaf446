"""Options of ``list``."""

from __future__ import annotations

import argparse

DESCRIPTION = "Tasks with the size of their spaces, published networks, knobs, and the runs in this folder."
EXAMPLES = (("python -m search list", "everything, in tables"),)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON object")
