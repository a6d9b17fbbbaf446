"""Free places for texts beside spots, in pixels, x to the right and y up."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from matplotlib.transforms import Bbox

UP_LEFT, RIGHT = 125.0, -35.0  # degrees: the empty side of a front, and the side of what it dominates
DISTANCES_PT = (8, 13, 21, 31, 43, 57, 73)
TURNS = (0, 25, -25, 50, -50, 75, -75, 100, -100, 125, -125, 150, -150, 180)
LEADER_PT = 13  # a text farther away than this needs a line to its spot


@dataclass(frozen=True, slots=True)
class Wanted:
    """A text of ``width`` x ``height`` for the spot `(x, y)`, preferably in the direction ``towards`` (degrees).

    Distances are counted from ``around_spot`` on, half a width and half a height: a group of spots is larger than one.
    """

    x: float
    y: float
    width: float
    height: float
    towards: float = UP_LEFT
    around_spot: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text stands: its box, its centre's offset from the spot, and how bad that is (0: it hides nothing)."""

    box: Bbox
    offset: tuple[float, float]
    end: tuple[float, float]
    has_leader: bool
    harm: float


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What should stay visible: the ``frame`` not to be left, points, lines by their corners, and boxes of text.

    ``unit`` is the number of pixels in a point (1/72 inch).
    """

    frame: Bbox
    spots: np.ndarray
    lines: Sequence[np.ndarray] = ()
    taken: Sequence[Bbox] = ()
    unit: float = 1.0


def find_places(wanted: Sequence[Wanted], around: Surroundings) -> tuple[Place, ...]:
    """The best place for every text, those first in ``wanted`` choosing first; later ones keep off them
    and off their leaders."""
    boxes, places = list(around.taken), []
    spots = np.asarray(around.spots, dtype=float).reshape(-1, 2)
    marks = np.vstack([spots, *(_along(np.asarray(line, dtype=float)) for line in around.lines if len(line) > 1)])
    for text in wanted:
        centre = np.array([text.x, text.y])
        others = spots[np.hypot(*(spots - centre).T) > around.unit + math.hypot(*text.around_spot)]
        harm = partial(_harm, centre=centre, boxes=boxes, marks=marks, others=others, around=around)
        best: tuple[float, float, Bbox, tuple[float, float]] | None = None
        for box, offset, distance in _options(text, around.unit):
            if best is not None and best[0] + best[1] <= distance:
                break  # options come nearest first: none that follows can be better
            harm_done = harm(box, limit=math.inf if best is None else best[0] + best[1] - distance)
            if best is None or harm_done + distance < best[0] + best[1]:
                best = harm_done, distance, box, offset
        harm_done, distance, box, offset = best
        place = Place(box, offset, _nearest(box, centre), distance > LEADER_PT, harm_done)
        boxes.append(box)
        places.append(place)
        if place.has_leader:
            marks = np.vstack([marks, _along(np.array([centre, place.end]))])
    return tuple(places)


def _options(text: Wanted, unit: float) -> Iterator[tuple[Bbox, tuple[float, float], float]]:
    """Boxes around the spot with their offset and distance, which never falls: the nearest and best direction first."""
    for distance in DISTANCES_PT:
        for turn in TURNS:
            angle = math.radians(text.towards + turn)
            x = math.cos(angle) * (text.around_spot[0] + distance * unit + text.width / 2)
            y = math.sin(angle) * (text.around_spot[1] + distance * unit + text.height / 2)
            box = Bbox.from_bounds(text.x + x - text.width / 2, text.y + y - text.height / 2, text.width, text.height)
            yield box, (x, y), distance + abs(turn) / 40


def _harm(
    box: Bbox,
    limit: float,
    centre: np.ndarray,
    boxes: Sequence[Bbox],
    marks: np.ndarray,
    others: np.ndarray,
    around: Surroundings,
) -> float:
    """How bad a place is: over marks, over other texts, outside, or with a leader past another spot.

    From ``limit`` on it does not matter how bad: then the leader, which takes most of the time, is not looked at.
    """
    unit, frame = around.unit, around.frame
    wide = box.padded(2 * unit)
    covered = _inside(marks, wide) + 3 * _inside(others, box.padded(5 * unit))
    outside = box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0 or box.y1 > frame.y1
    harm = 60 * covered + 2000 * outside
    if harm >= limit:
        return harm
    leader = _along(np.array([centre, _nearest(box, centre)]))
    passed = _passed(leader, others, 6 * unit)
    left, bottom, right, top = np.array([other.extents for other in boxes]).reshape(-1, 4).T
    x, y = leader[1:-1, :, None].transpose(1, 0, 2)
    crossed = np.count_nonzero(((left <= x) & (x <= right) & (bottom <= y) & (y <= top)).any(axis=0))
    overlapped = np.count_nonzero((left <= wide.x1) & (wide.x0 <= right) & (bottom <= wide.y1) & (wide.y0 <= top))
    return harm + 120 * (passed + crossed) + 1000 * overlapped


def _passed(leader: np.ndarray, others: np.ndarray, reach: float) -> int:
    """How many of ``others`` `(n, 2)` lie nearer than ``reach`` to the points of ``leader`` `(m, 2)`."""
    low, high = leader.min(axis=0) - reach, leader.max(axis=0) + reach
    close = others[((others >= low) & (others <= high)).all(axis=1)]
    apart = leader[:, None] - close[None]
    return np.count_nonzero((np.hypot(apart[..., 0], apart[..., 1]) < reach).any(axis=0))


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
