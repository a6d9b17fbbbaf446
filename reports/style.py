"""How the project's plots look (``latency_tables.plot_style``), and how they are written."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from evaluators.atomic import write_atomically
from latency_tables.plot_style import BASELINE, FRONT, INK, METADATA, OTHER, PAPER, SAME_TIME, STYLE, TIE

__all__ = ["BASELINE", "FRONT", "INK", "METADATA", "OTHER", "PAPER", "SAME_TIME", "STYLE", "TIE", "write_png"]


def write_png(path: Path, draw: Callable[[], Figure]) -> None:
    """Write what ``draw`` gives, in the style of the project's plots."""
    with matplotlib.rc_context(STYLE):
        figure = draw()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=150, metadata=METADATA[".png"])
    write_atomically(path, buffer.getvalue())
