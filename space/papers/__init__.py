"""The table of papers: every configuration that is built as a fixed trial, by name."""

from __future__ import annotations

import difflib

from space.errors import UserError
from space.papers.feature_align import FEATURE_ALIGN
from space.papers.mallenet import MALLENET
from space.papers.paper import (
    CONVOLUTION_WEIGHTS,
    PARAMS_TIMES_INPUT_PIXELS,
    TRAINING_FORM,
    CountingRule,
    Paper,
    with_input_skip,
)
from space.papers.progressive import PROGRESSIVE
from space.papers.references_restore import REFERENCES_RESTORE
from space.papers.references_sr import REFERENCES_SR
from space.papers.slwsr import SLWSR

PAPERS: dict[str, Paper] = {
    paper.name: paper
    for paper in (*SLWSR, *MALLENET, *PROGRESSIVE, *FEATURE_ALIGN, *REFERENCES_SR, *REFERENCES_RESTORE)
}


def paper(name: str) -> Paper:
    """The configuration called ``name``.

    Raises:
        UserError: there is none; the message has those whose names are nearest.
    """
    if name not in PAPERS:
        raise UserError(f"unknown network {name!r}; {known_names(name)}")
    return PAPERS[name]


def known_names(like: str) -> str:
    """For a message: the names nearest to ``like``, and where all of them are."""
    near = difflib.get_close_matches(like, PAPERS, n=3)
    return (f"did you mean {' or '.join(near)}? " if near else "") + "python -m search list has all"


__all__ = [
    "CONVOLUTION_WEIGHTS",
    "PAPERS",
    "PARAMS_TIMES_INPUT_PIXELS",
    "TRAINING_FORM",
    "CountingRule",
    "Paper",
    "known_names",
    "paper",
    "with_input_skip",
]
