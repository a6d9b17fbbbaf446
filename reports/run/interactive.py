"""The front as a plotly figure, for the page."""

from __future__ import annotations

import re
from html import escape

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from reports.run.chart_labels import first_window, label_sets
from reports.run.describe import describe, in_words
from reports.run.pareto_view import ParetoView, Point
from reports.run.quantities import all_costs, cost_ticks
from reports.run.ties import SEED_NOISE_DB
from reports.style import BASELINE, FRONT, INK, OTHER, PAPER, SAME_TIME, TIE

# "Share chart", which plotly 7 shows unless told otherwise, sends the run's data to the library's makers: it must go.
REMOVED = ["sendChartToCloud", "sendDataToCloud", "select2d", "lasso2d", "autoScale2d"]
CONFIG = {"responsive": True, "displaylogo": False, "showSendToCloud": False, "modeBarButtonsToRemove": REMOVED}
PLOT_HEIGHT_PX, ABOVE_PX, BELOW_PX = 420, 34, 60
LAYOUT = {
    "template": "plotly_white", "height": PLOT_HEIGHT_PX + ABOVE_PX + BELOW_PX, "hovermode": "closest",
    "margin": {"l": 60, "r": 15, "t": ABOVE_PX, "b": BELOW_PX, "autoexpand": False},
    "font": {"family": "system-ui, sans-serif", "size": 14, "color": INK}, "dragmode": "pan",
    "showlegend": False, "hoverlabel": {"align": "left", "bgcolor": "white"},
}  # fmt: skip


def plotly_script() -> str:
    """The library itself, to be put into a page once so that it works without a network."""
    return get_plotlyjs()


def front_html(view: ParetoView, baseline_db: float) -> str:
    """The front over one cost, under a key to its marks; a touch on a point tells what the network is.

    ``layout.meta`` holds the labels for several widths, from which the page's script chooses.
    """
    if not view.points:
        return "<p>No network has been trained yet.</p>"
    figure = go.Figure(layout=LAYOUT)
    for pairs, colour, width in ((view.ties, TIE, 16), (view.same_time, SAME_TIME, 8)):
        for a, b in pairs:
            figure.add_scatter(
                x=[a.cost, b.cost], y=[a.psnr_db, b.psnr_db], mode="lines", line={"color": colour, "width": width},
                opacity=0.4, hoverinfo="skip",
            )  # fmt: skip
    if len(view.outline) > 1:
        x, y = zip(*((point.cost, point.psnr_db) for point in view.outline), strict=True)
        figure.add_scatter(x=x, y=y, mode="lines", line={"shape": "hv", "color": FRONT, "width": 1.6}, hoverinfo="skip")
    found = [point for point in view.searched if point.on_front]
    others = [point for point in (*view.points, *view.below) if point not in found and not point.trial.is_fixed]
    fixed = [point for point in (*view.points, *view.below) if point.trial.is_fixed]
    papers = [point for point in fixed if not point.trial.nearest_build]
    nearest = [point for point in fixed if point.trial.nearest_build]
    _add(figure, view, others, baseline_db, {"size": 8, "color": OTHER})
    _add(figure, view, found, baseline_db, {"size": 12, "color": FRONT}, "rgba(0, 114, 178, 0.4)")
    star = {"size": 17, "color": PAPER, "symbol": "star"}
    hollow = {**star, "color": "white", "line": {"color": PAPER, "width": 1.5}}
    _add(figure, view, papers, baseline_db, star, "rgba(213, 94, 0, 0.4)")
    _add(figure, view, nearest, baseline_db, hollow, "rgba(213, 94, 0, 0.4)")
    _references(figure, view)
    sets = label_sets(view, PLOT_HEIGHT_PX)
    figure.update_layout(meta=sets, annotations=sets[-1]["annotations"])
    name = re.sub("[^A-Za-z0-9-]", "-", view.quantity.name)
    return _key(view, found, others, papers, nearest) + _html(figure, f"front-{name}")


def _key(
    view: ParetoView, found: list[Point], others: list[Point], papers: list[Point], nearest: list[Point]
) -> str:
    """What the marks are. Text of the page and not plotly's legend, which on a narrow screen covers the axis."""
    entries = [
        (found, FRONT, "●", "found, on the front"),
        (others, OTHER, "●", "found, not on the front"),
        (papers, PAPER, "★", "the papers' networks"),
        (nearest, PAPER, "☆", "nearest builds of what their papers do not determine"),
        (view.ties, TIE, "▬", f"tied: less than {SEED_NOISE_DB:g} dB apart"),
        (view.same_time, SAME_TIME, "▬", "tied: within the band of their difference in time"),
        (view.origin, BASELINE, "—", "90 % band of the predicted time"),
    ]
    shown = [
        f'<span><b style="color: {colour}">{mark}</b> {name}</span>' for kind, colour, mark, name in entries if kind
    ]
    key = f'<p class="key">{" ".join(shown)}</p>'
    if view.origin is None:
        return key
    depends_on = f"{view.quantity.axis}: {view.quantity.depends_on}; origin at worst: {view.origin}."
    return f'{key}<p class="note">{escape(depends_on)}</p>'


def _add(
    figure: go.Figure, view: ParetoView, points: list[Point], baseline_db: float, marker: dict, band: str | None = None
) -> None:
    """Draw ``points``, and their costs' bands in the colour ``band``."""
    if points:
        bars = None
        if band and all(point.band for point in points):
            bars = {
                "type": "data", "symmetric": False, "array": [point.band[1] - point.cost for point in points],
                "arrayminus": [point.cost - point.band[0] for point in points], "color": band, "thickness": 1,
                "width": 0,
            }  # fmt: skip
        figure.add_scatter(
            x=[point.cost for point in points], y=[point.psnr_db for point in points], mode="markers",
            marker={"line": {"color": "white", "width": 1}, **marker}, error_x=bars,
            text=[_hover(point, view, baseline_db) for point in points], hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip


def _hover(point: Point, view: ParetoView, baseline_db: float) -> str:
    trial = point.trial
    knobs = [f"{name} {value}" for name, value in trial.knobs.items()]
    lines = [
        f"<b>#{trial.trial} {in_words(trial)}</b>",
        f"{point.psnr_db:.3f} dB, {point.psnr_db - baseline_db:+.2f} over {view.baseline_in_words}",
        all_costs(trial.costs, "<br>") if trial.costs.latency else all_costs(trial.costs),
        *_rows(describe(trial.architecture).split(", ")),
        *(["<i>knobs</i>", *_rows(knobs)] if knobs else []),
    ]
    return "<br>".join(lines)


def _rows(words: list[str], per_row: int = 3) -> list[str]:
    """A phone is narrow: three words to a row."""
    return [", ".join(words[start : start + per_row]) for start in range(0, len(words), per_row)]


def _references(figure: go.Figure, view: ParetoView) -> None:
    """Axes, the baseline, classical methods and the budget. What lies below the first view is a drag away."""
    window = first_window(view)
    for db in view.lines_db.values():
        figure.add_hline(y=db, line={"dash": "dot", "color": BASELINE, "width": 1})
    if view.budget:
        figure.add_vline(x=view.budget, line={"dash": "dash", "color": INK, "width": 1})
    figure.update_yaxes(title=f"{view.metric_name} (dB)", range=[window.bottom, window.top])
    figure.update_xaxes(
        title=view.quantity.axis, showgrid=False, showline=True, linecolor="#999999", ticks="outside",
        range=[window.axis(window.left), window.axis(window.right)],
    )  # fmt: skip
    if view.log_cost:
        ticks = cost_ticks(window.left, window.right)
        figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{tick:,.10g}" for tick in ticks])


def _html(figure: go.Figure, name: str) -> str:
    return figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG, div_id=name)
