"""The labels of the page's chart, placed beforehand for several widths: a phone has room for fewer than a desk.

A label is a mapping: its ``kind``, its ``lines``, and where they stand. One of a point has the point's ``cost`` and
``db``, the offset of its centre in pixels (``right``, ``up``), and whether a leader goes there. The name of a level
(``db`` alone) or of the budget (``cost`` alone) has the ``side`` of the axes or of the line on which it stands, and
whether it is ``above`` the level, or at the upper end of the budget's line.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import get_data_path
from matplotlib.transforms import Bbox
from PIL import ImageFont

from reports.plotting.places import RIGHT, UP_LEFT, Place, Surroundings, Wanted, find_places
from reports.run.pareto_view import LEAST_HEIGHT_DB, ParetoView, Point

WIDTHS_PX = (250, 380, 520, 700, 900, 1100)  # of the plot without its margins; a wider one has more room still
FONT_PX, LINE_PX = 12, 16
GROUP_PX = 16  # stars this close to each other share a label
STAR_PX = 2  # a star's arms reach this much farther than a point
PX_PER_PT = 96 / 72  # of a browser


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the axes that is seen first, in data units."""

    left: float
    right: float
    bottom: float
    top: float
    log_cost: bool

    def pixels(self, cost: float, psnr_db: float, size: tuple[float, float]) -> tuple[float, float]:
        """Where a point is on a plot of ``size``, from its lower left corner."""
        across = (
            math.log(cost / self.left) / math.log(self.right / self.left)
            if self.log_cost
            else ((cost - self.left) / (self.right - self.left))
        )
        return size[0] * across, size[1] * (psnr_db - self.bottom) / (self.top - self.bottom)


@dataclass(frozen=True, slots=True)
class _Text:
    """A label before it is placed: its lines, the point it stands for, and whether it may be left out."""

    lines: tuple[str, ...]
    point: Point
    kind: str  # "paper" or "found"
    around_px: tuple[float, float] = (0.0, 0.0)
    optional: bool = False


def first_window(view: ParetoView) -> Window:
    """The window that holds every point above the axis' end, the budget and the lines of the baseline and others."""
    costs = [*(point.cost for point in view.points), *([view.budget] if view.budget else [])]
    heights = [*(p.psnr_db for p in view.points), *view.lines_db.values()]
    low, high = min(costs), max(costs)
    room = 0.12 * max(max(heights) - min(heights), LEAST_HEIGHT_DB)
    bottom, top = min(heights) - room, max(heights) + room
    if view.log_cost:
        return Window(low / (high / low) ** 0.08, high * (high / low) ** 0.08, bottom, top, True)
    margin = 0.1 * ((high - low) or high)
    return Window(max(low - margin, 0.0), high + margin, bottom, top, False)


def label_sets(view: ParetoView, height_px: float) -> list[dict[str, Any]]:
    """For each of ``WIDTHS_PX`` as ``width_px``, the ``labels`` of a plot that is at least as wide.

    Stars that lie on one spot share a label, the highest first. Trial numbers stand only where there is room.
    """
    return [{"width_px": width, "labels": _labels(view, (width, height_px))} for width in WIDTHS_PX]


def _labels(view: ParetoView, size: tuple[float, float]) -> list[dict[str, Any]]:
    window = first_window(view)
    papers = [_group_text(group, window, size) for group in _groups(view.papers, window, size)]
    numbers = [_Text((f"#{p.trial.trial}",), p, "found", optional=True) for p in view.searched if p.on_front]
    texts = [*papers, *numbers]
    references, taken = _references(view, window, size)
    wanted = [
        Wanted(
            *window.pixels(text.point.cost, text.point.psnr_db, size),
            *_extent(text.lines),
            UP_LEFT if text.point.on_front else RIGHT,
            text.around_px,
        )
        for text in texts
    ]
    corners = [window.pixels(point.cost, point.psnr_db, size) for point in view.outline]
    steps = [spot for i, (x, y) in enumerate(corners) for spot in ([(x, corners[i - 1][1])] if i else []) + [(x, y)]]
    lines = [np.array(steps)]
    if view.budget:
        x, _ = window.pixels(view.budget, window.top, size)
        lines.append(np.array([(x, 0), (x, size[1])]))
    around = Surroundings(
        frame=Bbox.from_bounds(0, 0, *size),
        spots=np.array([window.pixels(p.cost, p.psnr_db, size) for p in view.points]),
        lines=lines,
        taken=taken,
        unit=PX_PER_PT,
    )
    placed = zip(texts, find_places(wanted, around), strict=True)
    shown = [(text, place) for text, place in placed if not (text.optional and place.harm)]
    return [*references, *(_label(text, place) for text, place in shown)]


def _groups(points: Sequence[Point], window: Window, size: tuple[float, float]) -> list[list[Point]]:
    """``points`` by the spot they lie on, each group and its members the highest first."""
    groups: list[list[Point]] = []
    for point in sorted(points, key=lambda point: -point.psnr_db):
        spot = window.pixels(point.cost, point.psnr_db, size)
        for group in groups:
            if any(math.dist(spot, window.pixels(p.cost, p.psnr_db, size)) < GROUP_PX for p in group):
                group.append(point)
                break
        else:
            groups.append([point])
    return groups


def _group_text(group: Sequence[Point], window: Window, size: tuple[float, float]) -> _Text:
    """The names of a group, for the member in its middle."""
    spots = np.array([window.pixels(p.cost, p.psnr_db, size) for p in group])
    middle = int(np.hypot(*(spots - spots.mean(axis=0)).T).argmin())
    across, up = np.abs(spots - spots[middle]).max(axis=0)
    return _Text(tuple(p.label for p in group), group[middle], "paper", (STAR_PX + across, STAR_PX + up))


def _extent(lines: Sequence[str]) -> tuple[float, float]:
    """Width and height in pixels in DejaVu Sans, which is wider than the fonts of most systems."""
    font = ImageFont.truetype(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), FONT_PX)
    return max(map(font.getlength, lines)) + 2, LINE_PX * len(lines)


def _label(text: _Text, place: Place) -> dict[str, Any]:
    right, up = place.offset
    return {
        "kind": text.kind,
        "lines": list(text.lines),
        "cost": text.point.cost,
        "db": text.point.psnr_db,
        "right": round(right, 1),
        "up": round(up, 1),
        "leader": place.has_leader,
    }


def _references(view: ParetoView, window: Window, size: tuple[float, float]) -> tuple[list[dict[str, Any]], list[Bbox]]:
    """The names of the budget and of the levels, and the boxes that they fill: each where it covers least."""
    labels, boxes = [], []
    spots = np.array([window.pixels(p.cost, p.psnr_db, size) for p in view.points]).reshape(-1, 2)
    frame = Bbox.from_bounds(0, 0, *size)
    for label, options in (*_budget(view, window, size), *_levels(view, window, size)):
        harms = [_covered(box, boxes, spots, frame) for _, box in options]
        where, box = options[harms.index(min(harms))]
        labels.append({**label, **where})
        boxes.append(box)
    return labels, boxes


def _covered(box: Bbox, boxes: Sequence[Bbox], spots: np.ndarray, frame: Bbox) -> float:
    """How bad a place of a name is: outside the frame or on another name is worse than on any number of points."""
    outside = box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0 or box.y1 > frame.y1
    return 1000 * (outside + sum(map(box.padded(2).overlaps, boxes))) + box.count_contains(spots)


_Options = Sequence[tuple[dict[str, Any], Bbox]]


def _budget(view: ParetoView, window: Window, size: tuple[float, float]) -> Iterator[tuple[dict[str, Any], _Options]]:
    """The name of the budget's line, upright beside it, and the places that it may have."""
    if not view.budget:
        return
    x, _ = window.pixels(view.budget, window.top, size)
    length, thickness = _extent((view.budget_text,))
    yield (
        {"kind": "budget", "lines": [view.budget_text], "cost": view.budget},
        [
            ({"side": side, "above": above}, Bbox.from_bounds(left, (size[1] - length) * above, thickness + 2, length))
            for above in (True, False)
            for side, left in (("right", x), ("left", x - thickness - 2))
        ],
    )


def _levels(view: ParetoView, window: Window, size: tuple[float, float]) -> Iterator[tuple[dict[str, Any], _Options]]:
    """The name of each level, at an end of its line, and the places that it may have."""
    for name, db in view.lines_db.items():
        text = f"{name} {db:.2f} dB"
        _, y = window.pixels(window.right, db, size)
        width, height = _extent((text,))
        yield (
            {"kind": "level", "lines": [text], "db": db},
            [
                ({"side": side, "above": above}, Bbox.from_bounds(left, y - height * (not above), width, height))
                for side, left in (("right", size[0] - width), ("left", 0.0))
                for above in (False, True)
            ],
        )
