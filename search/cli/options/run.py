"""Options of ``run``: those of ``search.request.options``, and how the answer is printed."""

from __future__ import annotations

import argparse

from search.cli.options.shared import add_listed
from search.request.options import FILES, RUN_OPTIONS

DESCRIPTION = (
    "Search networks for a task under a budget. The same command continues a run that was stopped; a longer --time "
    "goes on from a finished one."
)
EXAMPLES = (
    ("python -m search run --task sr --budget 200k-params", "the default: 10 minutes, PSNR against work"),
    (
        "python -m search run --task sr --scale 2 --budget 60ms@pixel4-a76 --input 160x120 --time 30m",
        "milliseconds on a phone's core",
    ),
    (
        "python -m search run --task denoise --sigma 0-50 --budget 100k-params,10g-macs --train-data photos/",
        "two limits, your own pictures",
    ),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    groups = add_listed(parser, RUN_OPTIONS)
    groups[FILES].add_argument("--json", action="store_true", help="print the front as JSON at the end")
