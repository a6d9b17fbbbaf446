"""The front as a plotly figure, for the page."""

from __future__ import annotations

import math

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from reports.describe import describe
from reports.pareto_view import LEAST_HEIGHT_DB, ParetoView, Point
from reports.plots import BASELINE, FRONT, INK, OTHER, PAPER, TIE
from reports.quantities import all_costs, cost_ticks
from reports.ties import SEED_NOISE_DB

# "Share chart", which plotly 7 shows unless told otherwise, sends the run's data to the library's makers: it must go.
REMOVED = ["sendChartToCloud", "sendDataToCloud", "select2d", "lasso2d", "autoScale2d"]
CONFIG = {"responsive": True, "displaylogo": False, "showSendToCloud": False, "modeBarButtonsToRemove": REMOVED}
PLOT_HEIGHT_PX, ABOVE_PX, BELOW_PX = 400, 20, 110
LAYOUT = {
    "template": "plotly_white", "height": PLOT_HEIGHT_PX + ABOVE_PX + BELOW_PX, "hovermode": "closest",
    "margin": {"l": 60, "r": 15, "t": ABOVE_PX, "b": BELOW_PX},
    "font": {"family": "system-ui, sans-serif", "size": 14, "color": INK}, "dragmode": "pan",
    "legend": {"orientation": "h", "y": -0.17, "x": 0}, "hoverlabel": {"align": "left", "bgcolor": "white"},
}  # fmt: skip


def plotly_script() -> str:
    """The library itself, to be put into a page once so that it works without a network."""
    return get_plotlyjs()


def front_html(view: ParetoView, baseline_db: float) -> str:
    """The front over one cost; a touch on a point tells what the network is."""
    if not view.points:
        return "<p>No network has been trained yet.</p>"
    figure = go.Figure(layout=LAYOUT)
    for index, (a, b) in enumerate(view.ties):
        name = f"tied: less than {SEED_NOISE_DB:g} dB apart"
        figure.add_scatter(
            x=[a.cost, b.cost], y=[a.psnr_db, b.psnr_db], mode="lines", line={"color": TIE, "width": 16}, opacity=0.4,
            name=name, legendgroup="ties", showlegend=index == 0, hoverinfo="skip",
        )  # fmt: skip
    if len(view.outline) > 1:
        x, y = zip(*((point.cost, point.psnr_db) for point in view.outline), strict=True)
        line = {"shape": "hv", "color": FRONT, "width": 1.6}
        figure.add_scatter(x=x, y=y, mode="lines", line=line, showlegend=False, hoverinfo="skip")
    found = [point for point in view.searched if point.on_front]
    others = [point for point in (*view.points, *view.below) if point not in found and not point.trial.is_fixed]
    papers = [point for point in (*view.points, *view.below) if point.trial.is_fixed]
    _add(figure, others, baseline_db, "found, not on the front", {"size": 8, "color": OTHER})
    _add(figure, found, baseline_db, "found, on the front", {"size": 12, "color": FRONT})
    _add(figure, papers, baseline_db, "the papers' networks", {"size": 17, "color": PAPER, "symbol": "star"})
    _labels(figure, view, found, papers)
    _references(figure, view)
    return _html(figure, f"front-{view.quantity.name}")


def _add(figure: go.Figure, points: list[Point], baseline_db: float, name: str, marker: dict) -> None:
    if points:
        figure.add_scatter(
            x=[point.cost for point in points], y=[point.psnr_db for point in points], mode="markers", name=name,
            marker={"line": {"color": "white", "width": 1}, **marker},
            text=[_hover(point, baseline_db) for point in points], hovertemplate="%{text}<extra></extra>",
        )  # fmt: skip


def _hover(point: Point, baseline_db: float) -> str:
    trial = point.trial
    knobs = [f"{name} {value}" for name, value in trial.knobs.items()]
    lines = [
        f"<b>#{trial.trial} {trial.source}</b>",
        f"{point.psnr_db:.3f} dB, {point.psnr_db - baseline_db:+.2f} over bicubic",
        all_costs(trial.costs),
        *_rows(describe(trial.architecture).split(", ")),
        *(["<i>knobs</i>", *_rows(knobs)] if knobs else []),
    ]
    return "<br>".join(lines)


def _rows(words: list[str], per_row: int = 3) -> list[str]:
    """A phone is narrow: three words to a row."""
    return [", ".join(words[start : start + per_row]) for start in range(0, len(words), per_row)]


def _labels(figure: go.Figure, view: ParetoView, found: list[Point], papers: list[Point]) -> None:
    """The papers' names, and trial numbers on the front where there is room for them."""
    left, right, bottom, top = _window(view)
    ordered = sorted(papers, key=lambda point: point.psnr_db)
    for index, point in enumerate(ordered):
        # Downwards, where the networks are that the front beats, and the higher star's name below the lower one's.
        x = _along(view, point.cost, left, right)
        lower = [other for other in ordered[:index] if abs(_along(view, other.cost, left, right) - x) < 0.2]
        rise_db = point.psnr_db - lower[0].psnr_db if lower else 0.0
        side = 1 if x < 0.5 else -1
        figure.add_annotation(
            x=math.log10(point.cost) if view.log_cost else point.cost, y=point.psnr_db, text=point.label,
            ax=side * (16 + 14 * len(lower)), ay=40 + 20 * len(lower) + PLOT_HEIGHT_PX * rise_db / (top - bottom),
            xanchor="left" if side > 0 else "right", showarrow=True, arrowhead=0, arrowwidth=1, arrowcolor=PAPER,
            standoff=7, font={"size": 12, "color": PAPER}, bgcolor="rgba(255, 255, 255, 0.75)", borderpad=1,
        )  # fmt: skip
    taken: list[tuple[float, float]] = []
    for point in found:
        x, y = _along(view, point.cost, left, right), point.psnr_db
        if all(abs(x - other_x) > 0.06 or abs(y - other_y) > 0.05 * (top - bottom) for other_x, other_y in taken):
            taken.append((x, y))
            figure.add_scatter(
                x=[point.cost], y=[point.psnr_db], mode="text", text=[f"#{point.trial.trial}"], meta="number",
                textposition="top left", textfont={"size": 12, "color": FRONT}, showlegend=False, hoverinfo="skip",
            )  # fmt: skip


def _references(figure: go.Figure, view: ParetoView) -> None:
    """Axes, bicubic and the budget. What lies below the first view is a drag away."""
    left, right, bottom, top = _window(view)
    if view.baseline_db is not None:
        text = {"text": f"bicubic {view.baseline_db:.2f} dB", "font": {"color": BASELINE}}
        line = {"dash": "dot", "color": BASELINE, "width": 1}
        figure.add_hline(y=view.baseline_db, line=line, annotation=text, annotation_position="bottom right")
    if view.budget:
        figure.add_vline(x=view.budget, line={"dash": "dash", "color": INK, "width": 1})
        figure.add_annotation(
            x=math.log10(view.budget) if view.log_cost else view.budget, y=1, yref="paper", text=view.budget_text,
            textangle=-90, xanchor="left", yanchor="top", showarrow=False,
        )  # fmt: skip
    figure.update_yaxes(title="PSNR on Y (dB)", range=[bottom, top])
    figure.update_xaxes(title=view.quantity.axis, showgrid=False, showline=True, linecolor="#999999", ticks="outside")
    if view.log_cost:
        ticks = cost_ticks(left, right)
        ends = [math.log10(left), math.log10(right)]
        figure.update_xaxes(type="log", range=ends, tickvals=ticks, ticktext=[f"{tick:,.10g}" for tick in ticks])
    else:
        figure.update_xaxes(range=[left, right])


def _window(view: ParetoView) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of the first view, in data units."""
    costs = [*(point.cost for point in view.points), *([view.budget] if view.budget else [])]
    heights = [*(p.psnr_db for p in view.points), *([view.baseline_db] if view.baseline_db is not None else [])]
    low, high = min(costs), max(costs)
    room = 0.12 * max(max(heights) - min(heights), LEAST_HEIGHT_DB)
    bottom, top = min(heights) - room, max(heights) + room
    if view.log_cost:
        return low / (high / low) ** 0.08, high * (high / low) ** 0.08, bottom, top
    margin = 0.1 * ((high - low) or high)
    return max(low - margin, 0.0), high + margin, bottom, top


def _along(view: ParetoView, cost: float, left: float, right: float) -> float:
    """Where ``cost`` is on the axis: 0 at its left, 1 at its right end."""
    if view.log_cost:
        return math.log(cost / left) / math.log(right / left)
    return (cost - left) / (right - left)


def _html(figure: go.Figure, name: str) -> str:
    return figure.to_html(full_html=False, include_plotlyjs=False, config=CONFIG, div_id=name)
