"""How the project's plots look (``latency_tables.plot_style``), and how they are written."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.text import Text

from latency_tables.plot_style import BASELINE, DESCENT, FRONT, INK, METADATA, OTHER, PAPER, SAME_TIME, STYLE, TIE
from space.files import write_atomically

__all__ = [
    "BASELINE",
    "DESCENT",
    "FRONT",
    "INK",
    "OTHER",
    "PAPER",
    "SAME_TIME",
    "STYLE",
    "TIE",
    "ShownFigure",
    "literal_texts",
    "rendered",
    "write_png",
]


class ShownFigure(Figure):
    """A figure that a notebook shows by itself; Matplotlib's own is shown only where pyplot is in use."""

    def _repr_png_(self) -> bytes:
        return rendered(self, ".png")


def write_png(path: Path, draw: Callable[[], Figure]) -> None:
    """Write what ``draw`` gives, in the style of the project's plots."""
    with matplotlib.rc_context(STYLE):
        figure = draw()
        literal_texts(figure)
        write_atomically(path, rendered(figure, ".png"))


def rendered(figure: Figure, suffix: str, dpi: float = 150, **options: Any) -> bytes:
    """``figure`` as a file of that ``suffix``, the same bytes for the same data; ``options`` are those of `savefig`."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=suffix[1:], dpi=dpi, metadata=METADATA[suffix], **options)
    return buffer.getvalue()


def literal_texts(figure: Figure) -> None:
    """Names of runs and devices are what they are: two dollar signs in one are no formula, which might not even parse.

    Labels of ticks are left alone: logarithmic axes write theirs as formulas.
    """
    of_ticks: set[int] = set()
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            of_ticks.add(id(axis.offsetText))
            for tick in (*axis.majorTicks, *axis.minorTicks):
                of_ticks.update((id(tick.label1), id(tick.label2)))
    for text in figure.findobj(Text):
        if id(text) not in of_ticks:
            text.set_parse_math(False)
