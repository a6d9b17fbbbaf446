"""The lightweight progressive residual network (JEIT210298) in our template, at the paper's three recursion counts."""

from __future__ import annotations

from space.architecture import IOShape
from space.backbones import BACKBONES
from space.zoo.published_network import PublishedNetwork
from space.zoo.published_result import NOT_SAID, reported

JOURNAL = "J. Electronics & Information Technology, doi 10.11999/JEIT210298"
SOURCE = f"{JOURNAL}, abstract and tables 2 and 3"
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
# By number of recursions and what is ablated: table, PSNR in dB, and what the paper calls parameter amount.
PSNR_DB = {
    "6 recursions, no attention": (2, 30.08, "26.316 Mb"),
    "6 recursions, channel attention": (2, 30.16, "26.319 Mb"),
    "6 recursions, spatial attention": (2, 30.14, "26.317 Mb"),
    "5 recursions": (3, 30.17, "20.064 Mb"),
    "6 recursions": (3, 30.21, "26.321 Mb"),
    "7 recursions": (3, 30.21, "30.712 Mb"),
}
RESULTS = tuple(
    result
    for form, (table, psnr_db, amount) in PSNR_DB.items()
    for result in reported(
        f"progressive residual network, {form}",
        "deblur",
        f"{JOURNAL}, table {table}",
        {"not named": psnr_db},
        metric=NOT_SAID,
        note=f"'parameter amount {amount}', whose unit and growth with the recursion are unclear",
    )
)


def _entry(recursion: int) -> PublishedNetwork:
    knobs = {**DESIGN, "recursion": recursion}
    arch = BACKBONES["progressive"].architecture(IOShape(3, 3, 1), knobs)
    title = f"progressive residual network, {recursion} recursions"
    return PublishedNetwork(
        f"progressive-{recursion}",
        title,
        "deblur",
        arch,
        SOURCE,
        knobs={"backbone": "progressive", **knobs},
        approximation=True,
        runs_with_search=recursion == PAPERS_CHOICE,
        results=tuple(result for result in RESULTS if result.network.startswith(title)),
        note=NOTE,
    )


NETWORKS = tuple(_entry(recursion) for recursion in (5, 6, 7))
