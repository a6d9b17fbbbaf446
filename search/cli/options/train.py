"""Options of ``train``: those of ``search.request.train_options``, and how the answer is printed."""

from __future__ import annotations

import argparse

from search.cli.options.shared import add_trial_and_options
from search.request.train_options import FLAGS, TRAIN_OPTIONS

DESCRIPTION = (
    "Train one network to the end: from its weights, with a rate that falls to zero and averaged weights, into a model "
    "folder with a page. The same command continues a training that was stopped or killed."
)
EXAMPLES = (
    ("python -m search train runs/mine 12 --steps 50k --data photos/", "a run's network number 12, on your pictures"),
    ("python -m search train smfanet --weights smfanet.pth --data photos/", "a published network, from its weights"),
    (
        "python -m search train mypackage.nets:make --task sr --scale 4 --time 2h",
        "runs your code: make() gives the module",
    ),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        metavar="NETWORK",
        help="a run's folder or name with TRIAL behind it, RUN#TRIAL, a model folder, a weights file of litefront, a "
        "published network (see: python -m search list), or MODULE:FACTORY",
    )
    add_trial_and_options(parser, TRAIN_OPTIONS, FLAGS)
