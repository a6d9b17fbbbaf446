"""The front as a chart of the page: what ``chart.js`` draws, as JSON, under a key to its marks."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from html import escape
from typing import Any

from reports.run.chart_labels import first_window, label_sets
from reports.run.pareto_view import ParetoView, Point
from search.pareto import SEED_NOISE_DB

PLOT_HEIGHT_PX = 420
MARKS = {
    "found": ("●", "found, on the front"),
    "other": ("●", "found, not on the front"),
    "paper": ("★", "published networks"),
    "approximation": ("☆", "approximations of networks that their papers do not fully specify"),
}
"""Mark and legend text by kind of point; ``page.css`` has a colour for each kind."""


def front_html(view: ParetoView, listed: Collection[int] | None = None) -> str:
    """The front over one cost; selecting a point shows its network (``network_cards``).

    Args:
        listed: trial numbers of the points that can be chosen; the others are dots. All, if None.
    """
    if not view.points:
        return "<p>No network has been trained yet.</p>"
    return (
        f'{_key(view)}<div class="chart" data-cost="{escape(_name(view))}"><div class="plot"></div>'
        '<p class="tools"><button type="button" data-zoom="2" title="closer">+</button> '
        '<button type="button" data-zoom="0.5" title="farther">−</button> '
        '<button type="button" data-zoom="0" title="all">all</button></p>'
        '<div class="card" aria-live="polite" hidden></div>'
        f'<script type="application/json">{as_script(chart(view, listed))}</script></div>'
    )


def chart(view: ParetoView, listed: Collection[int] | None = None) -> dict[str, Any]:
    """Everything that is drawn, in the units of the axes. ``points`` below the first view are marked ``below``;
    ``dots`` are the costs and dB of points that are not ``listed``."""
    window = first_window(view)
    dots = [] if listed is None else [p for p in (*view.points, *view.below) if p.trial.trial not in listed]
    plain = {point.trial.trial for point in dots}
    return {
        "log": window.log_cost,
        "window": [window.left, window.right, window.bottom, window.top],
        "height": PLOT_HEIGHT_PX,
        "across": view.quantity.axis,
        "up": f"{view.metric_name} (dB)",
        "points": [point for point in _points(view) if point["trial"] not in plain],
        "dots": [[float(f"{point.cost:.5g}"), round(point.psnr_db, 3)] for point in dots],
        "outline": [[point.cost, point.psnr_db] for point in view.outline],
        "ties": _ends(view.ties),
        "sameTime": _ends(view.same_time),
        "descents": _ends(view.descents),
        "levels": list(view.lines_db.values()),
        "budget": view.budget,
        "labels": label_sets(view, PLOT_HEIGHT_PX),
    }


def kind_of(point: Point) -> str:
    """Which of ``MARKS`` a point has."""
    if point.trial.is_fixed:
        return "approximation" if point.trial.approximation else "paper"
    return "found" if point.on_front else "other"


def as_script(value: Any) -> str:
    """``value`` as JSON that may stand in a script element: no text in it can end the element."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _points(view: ParetoView) -> Iterator[dict[str, Any]]:
    """Cheapest first: the order in which the arrow keys go through them."""
    below = {point.trial.trial for point in view.below}
    for point in sorted((*view.points, *view.below), key=lambda point: (point.cost, point.trial.trial)):
        yield {
            "trial": point.trial.trial,
            "kind": kind_of(point),
            "cost": point.cost,
            "db": point.psnr_db,
            "band": _drawn_band(point),
            "below": point.trial.trial in below,
        }


def _drawn_band(point: Point) -> list[float] | None:
    """The error of a predicted cost, at the front's members and at the papers."""
    return list(point.band) if point.band and (point.on_front or point.trial.is_fixed) else None


def _ends(pairs: Sequence[tuple[Point, Point]]) -> list[list[list[float]]]:
    return [[[a.cost, a.psnr_db], [b.cost, b.psnr_db]] for a, b in pairs]


def _name(view: ParetoView) -> str:
    return re.sub("[^A-Za-z0-9-]", "-", view.quantity.key)


def _key(view: ParetoView) -> str:
    """What the marks are. Text of the page, because a legend in the chart would cover it on a narrow screen."""
    kinds = {kind_of(point) for point in (*view.points, *view.below)}
    entries = [(kind, mark, words) for kind, (mark, words) in MARKS.items() if kind in kinds]
    if view.ties:
        entries.append(("tie", "▬", f"tied: less than {SEED_NOISE_DB:g} dB apart"))
    if view.same_time:
        entries.append(("same-time", "▬", "tied: within the band of their difference in time"))
    if view.descents:
        entries.append(("descent", "—", "from a network to its compressed form"))
    if any(map(_drawn_band, view.points)):
        entries.append(("band", "—", "90 % band of the predicted time"))
    if view.below:
        entries.append(("other", "▼", "below this view"))
    shown = [f'<span><b class="{kind}">{mark}</b> {escape(words)}</span>' for kind, mark, words in entries]
    key = f'<p class="key">{" ".join(shown)}</p>'
    if view.beyond_db:
        off = ", ".join(f"{name} {db:.2f} dB" for name, db in view.beyond_db.items())
        key += f'<p class="note">Off this view: {escape(off)}.</p>'
    if view.origin is None:
        return key
    depends_on = f"{view.quantity.axis}: {view.depends_on}; origin at worst: {view.origin}."
    return f'{key}<p class="note">{escape(depends_on)}</p>'
