"""How the project's plots look."""

from __future__ import annotations

from typing import Any

# Okabe and Ito's palette, which colour-blind readers can tell apart.
FRONT, OTHER, PAPER, TIE, BASELINE = "#0072B2", "#8FA3B0", "#D55E00", "#E69F00", "#666666"
SAME_TIME, DESCENT = "#009E73", "#CC79A7"
INK = "#222222"
KINDS = (FRONT, PAPER, SAME_TIME, DESCENT, TIE, "#56B4E9", INK)
"""Colours of things that are told apart by nothing else, in the order of their use."""
METADATA = {".png": {"Software": None}, ".svg": {"Date": None}}  # the same data give the same file
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.edgecolor": "#999999",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "svg.fonttype": "path",
    "svg.hashsalt": "litefront",
}
