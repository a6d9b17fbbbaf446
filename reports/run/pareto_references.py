"""Around the points of a front's picture: the baseline, classical methods, the budget, and what lies off the axes."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Text

from reports.plotting.style import BASELINE, INK, OTHER, PAPER
from reports.run.pareto_view import ParetoView


def draw_references(axes: Axes, view: ParetoView) -> list[Text]:
    """Draw them all, each name where it covers no other; the texts written."""
    texts: list[Text] = []
    left, right = axes.get_xlim()
    bottom, top = axes.get_ylim()
    for point in view.below:
        colour = PAPER if point.trial.is_fixed else OTHER
        axes.plot(point.cost, bottom, "v", ms=8, color=colour, clip_on=False, zorder=7)
    axes.figure.canvas.draw()
    if view.budget:
        axes.axvline(view.budget, color=INK, lw=1, ls=(0, (4, 3)), zorder=1)
        places = [(at, side) for at in (top, bottom) for side in ("left", "right")]
        _write(
            axes,
            view.budget_text,
            texts,
            [
                {
                    "xy": (view.budget, at),
                    "xytext": (4 if side == "left" else -4, -2 if at == top else 2),
                    "ha": side,
                    "va": "top" if at == top else "bottom",
                }
                for at, side in places
            ],
            rotation=90,
            color=INK,
            zorder=8,
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )
    for name, db in view.lines_db.items():
        axes.axhline(db, color=BASELINE, lw=1, ls=(0, (1, 2)), zorder=1)
        _write(
            axes,
            f"{name} {db:.2f} dB",
            texts,
            [
                {
                    "xy": (right if side == "right" else left, db),
                    "xytext": (-2 if side == "right" else 4, up),
                    "ha": side,
                    "va": "bottom" if up > 0 else "top",
                }
                for side in ("right", "left")
                for up in (3, -3)
            ],
        )
    front_db = max((point.psnr_db for point in view.points), default=top)
    for name, db in view.beyond_db.items():
        is_above = db > front_db
        told = f"{'▲' if is_above else '▼'} {name} {db:.2f} dB, {'above' if is_above else 'below'} the axis"
        _write(axes, told, texts, _edge_places(up=is_above))
    if view.over_budget:
        _write(axes, _over_budget(axes, view, left, right, bottom), texts, _edge_places(up=False))
    return texts


def _write(axes: Axes, words: str, texts: list[Text], places: list[dict[str, Any]], **look: Any) -> None:
    """Write ``words`` at the first of ``places`` that is inside the axes and free of ``texts``; add it to them.

    Where none is, at the one that overlaps fewest.
    """
    frame, others = axes.get_window_extent().padded(3), [text.get_window_extent() for text in texts]
    tried = []
    for place in places:
        options = {"textcoords": "offset points", "fontsize": 9, "color": BASELINE, **look, **place}
        text = axes.annotate(words, **options)
        box = text.get_window_extent()
        outside = box.x0 < frame.x0 or box.x1 > frame.x1 or box.y0 < frame.y0 or box.y1 > frame.y1
        harm = 10 * outside + sum(map(box.overlaps, others))
        tried.append((harm, text))
        if not harm:
            break
    _, best = min(tried, key=lambda pair: pair[0])
    for _, text in tried:
        if text is not best:
            text.remove()
    texts.append(best)


def _edge_places(up: bool) -> list[dict[str, Any]]:
    """Places along the upper or the lower edge of the axes, for words that belong to no point: line by line inwards."""
    return [
        {
            "xy": (float(side == "right"), float(up)),
            "xycoords": "axes fraction",
            "ha": side,
            "va": "top" if up else "bottom",
            "xytext": (6 if side == "left" else -2, (-4 if up else 9) + line * (-13 if up else 13)),
        }
        for line in range(5)
        for side in ("right", "left")
    ]


def _over_budget(axes: Axes, view: ParetoView, left: float, right: float, bottom: float) -> str:
    """Draw a tick for each network that was over the budget, an arrow for those beyond an end of the axis; say so."""
    seen = [cost for cost in view.over_budget if left <= cost <= right]
    axes.plot(seen, [bottom] * len(seen), "|", ms=13, mew=1, color=BASELINE, alpha=0.5, clip_on=False, zorder=2)
    words = [f"ticks: {len(seen)} over budget, not trained"] if seen else []
    for marker, arrow, end, beyond in (
        ("<", "◂", left, [cost for cost in view.over_budget if cost < left]),
        (">", "▸", right, [cost for cost in view.over_budget if cost > right]),
    ):
        if beyond:
            axes.plot(end, bottom, marker, ms=8, color=BASELINE, clip_on=False, zorder=7)
            words.append(f"{arrow} {len(beyond)} {'more ' if seen else 'over budget, not trained, '}beyond the axis")
    return ", ".join(words)
