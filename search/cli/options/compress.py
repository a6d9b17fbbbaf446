"""Options of ``compress``: those of ``search.request.compress_options``, and how the answer is printed."""

from __future__ import annotations

import argparse

from search.cli.options.shared import add_trial_and_options
from search.request.compress_options import COMPRESS_OPTIONS, FLAGS

DESCRIPTION = (
    "One network made smaller: channels pruned, what is left fine-tuned, also by a teacher, and int8, for which the "
    "last steps are trained, into a model folder that export takes. The same command continues one that was stopped or "
    "killed."
)
EXAMPLES = (
    ("python -m search compress runs/mine 12 --prune 0.5 --steps 20k --data photos/", "half of the channels"),
    (
        "python -m search compress mine#12 --prune 0.3 --int8 --distil mine#12 --device pixel4-a76 --time 2h",
        "for a phone, in int8, taught by what it was",
    ),
    ("python -m search compress smfanet --weights smfanet.pth --int8 --mixed 2", "int8 without training"),
)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        metavar="NETWORK",
        help="a run's folder or name with TRIAL behind it, RUN#TRIAL, a model folder, a weights file of litefront, or "
        "a published network with --weights",
    )
    add_trial_and_options(parser, COMPRESS_OPTIONS, FLAGS)
