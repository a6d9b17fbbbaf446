"""Options of ``cost``."""

from __future__ import annotations

import argparse

from latency_tables.cli.input_options import add_input_options
from search.cli.options.shared import NETWORK_HELP

# One core of each generation, shown unless others are asked for.
SHOWN_TABLES = ("pixel4-a76", "pixel4-a55", "a03s-a53", "mi8se-a75", "s10-m4")
DESCRIPTION = "Parameters, MACs, memory and milliseconds of a published network or your own."
EXAMPLES = (
    ("python -m search cost s-lwsr16 --input 320x180", "a published network, a column per phone"),
    ("python -m search cost runs/mine#6", "a trial of a run"),
    ("python -m search cost net.onnx", "an ONNX file; net.pt2 is one of torch.export.save"),
    ("python -m search cost mypackage.nets:make --input 320x180 --json", "runs your code: make() gives the module"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "name",
        metavar="NETWORK",
        help=f"{NETWORK_HELP}; an ONNX file; FILE.pt2, written by torch.export.save; or MODULE:FACTORY, a Python "
        "function that returns a torch.nn.Module: MODULE is imported from this folder, which runs its code",
    )
    parser.add_argument("--scale", metavar="N", help="upscaling factor of a published network (default: the paper's)")
    add_input_options(parser, "that of the task")
    parser.add_argument(
        "--device",
        metavar="TABLE[,TABLE]",
        help=f"latency tables, or 'all' (default: {', '.join(SHOWN_TABLES)}; with --json all)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
