"""Labels beside points that do not cover each other, the points or the lines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox

UP_LEFT, RIGHT = 125.0, -35.0       # degrees: the empty side of a front, and the side of what it dominates
DISTANCES_PT = (8, 13, 21, 31, 43, 57, 73)
TURNS = (0, 25, -25, 50, -50, 75, -75, 100, -100, 125, -125, 150, -150, 180)


@dataclass(frozen=True, slots=True)
class Label:
    """``text`` for the point `(x, y)`, in data units, preferably in the direction ``towards`` (degrees)."""

    x: float
    y: float
    text: str
    colour: str
    towards: float = UP_LEFT
    bold: bool = False


def place_labels(
    axes: Axes,
    labels: Sequence[Label],
    points: Sequence[tuple[float, float]],
    lines: Sequence[Sequence[tuple[float, float]]] = (),
    taken: Sequence[Bbox] = (),
    size_pt: float = 9,
) -> None:
    """Write ``labels``, each at the nearest free place, with a thin leader where that is not beside its point.

    Args:
        points: `(x, y)` in data units that should stay visible.
        lines: corners in data units of lines that should stay visible.
        taken: boxes in pixels that are written on already.
    """
    figure = axes.figure
    figure.canvas.draw()
    pixels_per_pt = figure.dpi / 72
    frame = axes.get_window_extent()
    to_pixels = axes.transData.transform
    marks = to_pixels(np.array(points, dtype=float).reshape(-1, 2))
    marks = np.vstack([marks, *(_along(to_pixels(np.array(line, dtype=float))) for line in lines if len(line) > 1)])
    boxes = list(taken)
    spots = to_pixels(np.array(points, dtype=float).reshape(-1, 2))
    for label in labels:
        centre = to_pixels((label.x, label.y))
        text = axes.annotate(
            label.text, (label.x, label.y), (0, 0), textcoords="offset points", ha="center", va="center",
            fontsize=size_pt, color=label.colour, fontweight="bold" if label.bold else "normal", zorder=9,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )  # fmt: skip
        extent = text.get_window_extent()
        options = _options(centre, extent.width, extent.height, label.towards, pixels_per_pt)
        others = spots[np.hypot(*(spots - centre).T) > pixels_per_pt]
        score = partial(_cost, centre=centre, boxes=boxes, marks=marks, others=others, frame=frame, unit=pixels_per_pt)
        box, offset, distance = min(options, key=score)
        boxes.append(box)
        text.set_position((offset[0] / pixels_per_pt, offset[1] / pixels_per_pt))
        if distance > DISTANCES_PT[1]:
            end = axes.transData.inverted().transform(_nearest(box, centre))
            axes.plot([label.x, end[0]], [label.y, end[1]], color=label.colour, lw=0.7, alpha=0.8, zorder=3)


Option = tuple[Bbox, tuple[float, float], float]


def _options(
    centre: np.ndarray, width: float, height: float, towards: float, pixels_per_pt: float
) -> Iterator[Option]:
    """Boxes of `width` x `height` pixels around ``centre``, with their offset and distance, best direction first."""
    for distance in DISTANCES_PT:
        for turn in TURNS:
            angle = math.radians(towards + turn)
            x = math.cos(angle) * (distance * pixels_per_pt + width / 2)
            y = math.sin(angle) * (distance * pixels_per_pt + height / 2)
            left, bottom = centre[0] + x - width / 2, centre[1] + y - height / 2
            yield Bbox.from_bounds(left, bottom, width, height), (x, y), distance + abs(turn) / 40


def _cost(
    option: Option,
    centre: np.ndarray,
    boxes: Sequence[Bbox],
    marks: np.ndarray,
    others: np.ndarray,
    frame: Bbox,
    unit: float,
) -> float:
    """How bad a place is: far away, over marks, over other labels, outside, or with a leader past another point."""
    box, _, distance = option
    wide = box.padded(2 * unit)
    covered = _inside(marks, wide) + 3 * _inside(others, box.padded(5 * unit))
    outside = box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0 or box.y1 > frame.y1
    leader = _along(np.array([centre, _nearest(box, centre)]))
    passed = sum(bool((np.hypot(*(leader - other).T) < 6 * unit).any()) for other in others)
    crossed = sum(any(other.contains(*spot) for spot in leader[1:-1]) for other in boxes)
    return distance + 60 * covered + 120 * (passed + crossed) + 1000 * sum(map(wide.overlaps, boxes)) + 2000 * outside


def _inside(places: np.ndarray, box: Bbox) -> int:
    """How many of ``places`` `(n, 2)` are in ``box``."""
    x, y = places.T
    return np.count_nonzero((x > box.x0) & (x < box.x1) & (y > box.y0) & (y < box.y1))


def _along(corners: np.ndarray) -> np.ndarray:
    """Points every 8 pixels along the line through ``corners``, `(points, 2)`."""
    pieces = []
    for start, end in pairwise(corners):
        count = max(2, int(np.hypot(*(end - start)) // 8))
        pieces.append(start + (end - start) * np.linspace(0, 1, count)[:, None])
    return np.vstack(pieces)


def _nearest(box: Bbox, point: np.ndarray) -> tuple[float, float]:
    return float(np.clip(point[0], box.x0, box.x1)), float(np.clip(point[1], box.y0, box.y1))
