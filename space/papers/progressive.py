"""The lightweight progressive residual network (JEIT210298) in our template, at the paper's three recursion counts."""

from __future__ import annotations

from space.architecture import IOShape
from space.build import architecture
from space.papers.paper import Paper

SOURCE = "J. Electronics & Information Technology, doi 10.11999/JEIT210298, abstract and tables 2 and 3"
NOTE = (
    "the paper does not state width, blocks or the form of its attention, and its 'parameter amount (Mb)' grows with "
    "the recursion although weights are shared: no network can be matched to it; 32 channels and 5 blocks are PRN's"
)
PAPERS_CHOICE = 6  # recursions: the last that still gain in table 3; the three networks are nearly equal
DESIGN = {
    "width": 32,
    "blocks": 5,
    "block": "residual",
    "convolution": "dense",
    "inverted_ratio": 0.0,
    "activation_kept": "all",
    "residual_scale": 1.0,
    "malle": "none",
    "attention": "both",
    "input_skip": "identity",
}


def _paper(recursion: int) -> Paper:
    knobs = {**DESIGN, "recursion": recursion}
    arch = architecture(IOShape(3, 3, 1), "progressive", knobs)
    return Paper(
        f"progressive-{recursion}",
        f"progressive residual network, {recursion} recursions",
        "deblur",
        arch,
        SOURCE,
        {"backbone": "progressive", **knobs},
        reproducible=False,
        runs_with_search=recursion == PAPERS_CHOICE,
        note=NOTE,
    )


PROGRESSIVE: tuple[Paper, ...] = tuple(_paper(recursion) for recursion in (5, 6, 7))
