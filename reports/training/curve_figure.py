"""The curve of a training: loss and validation PSNR over the steps."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from reports.plotting.style import FRONT, INK, OTHER, STYLE, literal_texts, rendered
from search.experiments.curve import Point

WIDTH_IN, HEIGHT_IN = 9.0, 4.6
HIGHEST = 99  # percentile of the losses that the axis shows: a wild first one must not flatten the rest


def curve_figure(points: Sequence[Point], metric: str, levels_db: dict[str, float]) -> Figure:
    """Two plots above each other: the PSNR with ``levels_db`` as lines, by what they are of, and the loss."""
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    measured = [(point.step, point.psnr_db) for point in points if point.psnr_db is not None]
    if measured:
        steps, psnr_db = zip(*measured, strict=True)
        above.plot(steps, psnr_db, color=FRONT, marker="o", markersize=3)
        above.annotate(
            f"{psnr_db[-1]:.2f}", (steps[-1], psnr_db[-1]), (4, 0), textcoords="offset points", va="center", color=FRONT
        )
    last = max((point.step for point in points), default=1)
    for name, level in levels_db.items():
        above.axhline(level, color=INK, linewidth=0.8, linestyle=(0, (4, 3)))
        above.annotate(f"{name} {level:.2f}", (last, level), (-2, 3), textcoords="offset points", ha="right", color=INK)
    above.set_ylabel(f"{metric}, dB")
    losses = [(point.step, point.loss) for point in points if point.loss is not None]
    if losses:
        steps, values = zip(*losses, strict=True)
        below.plot(steps, values, color=OTHER, linewidth=1)
        low, high = min(values), float(np.percentile(values, HIGHEST))
        if high > low:
            below.set_ylim(low - 0.05 * (high - low), high + 0.08 * (high - low))
    below.set_ylabel("loss")
    below.set_xlabel("training step")
    return figure


def curve_address(points: Sequence[Point], metric: str, levels_db: dict[str, float]) -> str:
    """The figure as the address of an image inside a page."""
    with matplotlib.rc_context(STYLE):
        figure = curve_figure(points, metric, levels_db)
        literal_texts(figure)
        image = rendered(figure, ".svg")
    return f"data:image/svg+xml;base64,{base64.b64encode(image).decode()}"
