"""Options of ``cost``."""

from __future__ import annotations

import argparse

from latency_tables.cli.input_options import add_input_options

# One core of each generation, shown unless others are asked for.
SHOWN_TABLES = ("pixel4-a76", "pixel4-a55", "a03s-a53", "mi8se-a75", "s10-m4")
DESCRIPTION = "Parameters, MACs, memory and milliseconds of a published network or your own."
EXAMPLES = (
    ("python -m search cost s-lwsr16 --input 320x180", "a published network, a column per phone"),
    ("python -m search cost net.pt2", "a file written by torch.export.save"),
    ("python -m search cost mypackage.nets:make --input 320x180 --json", "runs your code: make() gives the module"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name",
        metavar="NAME|FILE.pt2|MODULE:FACTORY",
        help="a published network such as s-lwsr16 (see: python -m search list), a file written by torch.export.save, "
        "or a Python function that returns a torch.nn.Module: MODULE is imported from this folder, which runs its code",
    )
    parser.add_argument("--scale", metavar="N", help="upscaling factor of a published network (default: the paper's)")
    add_input_options(parser, "that of the task")
    parser.add_argument(
        "--device",
        metavar="TABLE[,TABLE]",
        help=f"latency tables, or 'all' (default: {', '.join(SHOWN_TABLES)}; with --json all)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
