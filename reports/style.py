"""How the project's plots look, and how they are written."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from evaluators.atomic import write_atomically

# Okabe and Ito's palette, which colour-blind readers can tell apart.
FRONT, OTHER, PAPER, TIE, BASELINE = "#0072B2", "#8FA3B0", "#D55E00", "#E69F00", "#666666"
SAME_TIME = "#009E73"
INK = "#222222"
METADATA = {".png": {"Software": None}, ".svg": {"Date": None}}      # the same run gives the same file
STYLE = {
    "font.family": "DejaVu Sans", "font.size": 10.5, "axes.edgecolor": "#999999", "axes.linewidth": 0.8,
    "axes.spines.top": False, "axes.spines.right": False, "axes.labelcolor": INK, "text.color": INK,
    "xtick.color": "#555555", "ytick.color": "#555555", "svg.fonttype": "path", "svg.hashsalt": "litefront",
}  # fmt: skip


def write_png(path: Path, draw: Callable[[], Figure]) -> None:
    """Write what ``draw`` gives, in the style of the project's plots."""
    with matplotlib.rc_context(STYLE):
        figure = draw()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=150, metadata=METADATA[".png"])
    write_atomically(path, buffer.getvalue())
