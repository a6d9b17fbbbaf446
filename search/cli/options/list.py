"""Options of ``list``."""

from __future__ import annotations

import argparse

DESCRIPTION = "Tasks with the size of their spaces, published networks, knobs, and the runs in this folder."
EXAMPLES = (
    ("python -m search list", "everything, in tables"),
    ("python -m search list smfanet", "one network: what it is, whose weights it reads"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", nargs="?", metavar="NAME", help="one network: what it is, whose weights it reads")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
