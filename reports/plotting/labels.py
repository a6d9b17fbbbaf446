"""Labels beside points of a matplotlib plot that do not cover each other, the points or the lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

from reports.plotting.places import UP_LEFT, Surroundings, Wanted, find_places


@dataclass(frozen=True, slots=True)
class Label:
    """``text`` for the point `(x, y)`, in data units, preferably in the direction ``towards`` (degrees); an
    ``optional`` one is left out where it would hide something."""

    x: float
    y: float
    text: str
    colour: str
    towards: float = UP_LEFT
    bold: bool = False
    optional: bool = False


def most_crowded_first(axes: Axes, labels: Sequence[Label]) -> list[Label]:
    """``labels`` in the order in which to place them: those whose points lie close to others have the fewest places."""
    axes.figure.canvas.draw()
    spots = axes.transData.transform(np.array([(label.x, label.y) for label in labels], dtype=float).reshape(-1, 2))
    crowding = [-np.sum(1 / (1 + np.hypot(*(spots - spot).T))) for spot in spots]
    return [labels[index] for index in np.argsort(crowding, kind="stable")]


def place_labels(
    axes: Axes,
    labels: Sequence[Label],
    points: Sequence[tuple[float, float]],
    lines: Sequence[Sequence[tuple[float, float]]] = (),
    taken: Sequence[Bbox] = (),
    size_pt: float = 9,
    frame: Bbox | None = None,
) -> list[Bbox]:
    """Write ``labels``, each at the nearest free place, with a thin leader where that is not beside its point; the
    boxes in pixels that they fill.

    Args:
        points: `(x, y)` in data units that should stay visible.
        lines: corners in data units of lines that should stay visible.
        taken: boxes in pixels that are written on already.
        frame: what labels stay in, in pixels; the axes if None.
    """
    axes.figure.canvas.draw()
    to_pixels = axes.transData.transform
    texts, wanted = [], []
    for label in labels:
        text = axes.annotate(
            label.text,
            (label.x, label.y),
            (0, 0),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=size_pt,
            color=label.colour,
            fontweight="bold" if label.bold else "normal",
            zorder=9,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )
        text.set_in_layout(False)  # it stays inside the axes, which must not move while places are found
        extent = text.get_window_extent()
        texts.append(text)
        wanted.append(Wanted(*to_pixels((label.x, label.y)), extent.width, extent.height, label.towards))
    unit = axes.figure.dpi / 72
    around = Surroundings(
        frame=axes.get_window_extent() if frame is None else frame,
        spots=to_pixels(np.array(points, dtype=float).reshape(-1, 2)),
        lines=[to_pixels(np.array(line, dtype=float)) for line in lines if len(line) > 1],
        taken=taken,
        unit=unit,
    )
    filled = []
    for label, text, place in zip(labels, texts, find_places(wanted, around), strict=True):
        if label.optional and place.harm:
            text.remove()
            continue
        filled.append(place.box)
        text.set_position((place.offset[0] / unit, place.offset[1] / unit))
        if place.has_leader:
            end = axes.transData.inverted().transform(place.end)
            axes.plot([label.x, end[0]], [label.y, end[1]], color=label.colour, lw=0.7, alpha=0.8, zorder=3)
    return filled
