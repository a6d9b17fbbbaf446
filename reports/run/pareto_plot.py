"""The picture of a front, for slides and papers: PNG and SVG."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from reports.plotting.labels import Label, most_crowded_first, place_labels
from reports.plotting.places import RIGHT, UP_LEFT
from reports.plotting.style import (
    BASELINE,
    DESCENT,
    FRONT,
    INK,
    OTHER,
    PAPER,
    SAME_TIME,
    STYLE,
    TIE,
    ShownFigure,
    literal_texts,
    rendered,
)
from reports.run.pareto_axes import cost_axis, draw_steps, fine_print, set_limits, title
from reports.run.pareto_references import draw_references
from reports.run.pareto_view import LEAST_HEIGHT_DB, ParetoView, pareto_view
from reports.run.published_view import PublishedView, published_view
from reports.run.quantities import cost_objectives
from search.pareto import SEED_NOISE_DB
from search.records import RunResult
from space.files import write_atomically
from space.zoo.measured_result import MeasuredResult
from space.zoo.published_result import PublishedResult

PANEL_WIDTH_IN, NARROW_PANEL_IN, PUBLISHED_WIDTH_IN, HEIGHT_IN = 7.6, 6.4, 6.8, 6.4
FULL_MARKS = {PublishedResult: ("*", 13), MeasuredResult: ("D", 6.5)}  # and their sizes in points
MOST_VECTOR_DOTS = 500  # more points off the front become one image in the SVG
MOST_LONG_LABELS = 9  # a longer front is labelled by trial number alone


def write_pareto(
    run: RunResult, folder: Path, published: tuple[PublishedResult, ...] | None = None, name: str = "pareto"
) -> tuple[Path, Path]:
    """Write ``pareto.png`` and ``pareto.svg``, or under another ``name``; ``published`` replaces the shipped table of
    published results."""
    paths = Path(folder) / f"{name}.png", Path(folder) / f"{name}.svg"
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):
        figure = pareto_figure(run, published)
        for path in paths:
            write_atomically(path, rendered(figure, path.suffix))
    return paths


@matplotlib.rc_context(STYLE)
def pareto_figure(run: RunResult, published: tuple[PublishedResult, ...] | None = None) -> Figure:
    """One panel per cost asked for and, apart from them, one of published results."""
    views = [pareto_view(run, quantity) for quantity in cost_objectives(run.settings)]
    papers = published_view(run, published)
    widths = [PANEL_WIDTH_IN if len(views) == 1 else NARROW_PANEL_IN] * len(views)
    widths += [PUBLISHED_WIDTH_IN] if papers else []
    figure = ShownFigure(figsize=(sum(widths), HEIGHT_IN), dpi=150, facecolor="white")
    lines = textwrap.wrap(views[0].caption + ".", int(sum(widths) * 13.2))
    predicted = any(view.origin for view in views)
    bottom = 0.14 + 0.03 * len(lines) + 0.04 * predicted
    panels = figure.subplots(1, len(widths), width_ratios=widths, squeeze=False)[0]
    left = 0.85 / sum(widths)
    top = 0.85 - 0.045 * predicted
    figure.subplots_adjust(left=left, right=1 - 0.25 / sum(widths), top=top, bottom=bottom, wspace=0.17)
    figure.text(
        left, 0.025, "\n".join(lines), fontsize=8.5, color="#555555", va="bottom", linespacing=1.45, parse_math=False
    )
    for axes, view in zip(panels, views, strict=False):
        draw_pareto(axes, view)
    if papers:
        _draw_published(panels[-1], papers)
    literal_texts(figure)
    return figure


def published_svg(view: PublishedView) -> str:
    """The panel of published results by itself, as an SVG element; ``page.css`` gives its words their white edge."""
    with matplotlib.rc_context({**STYLE, "svg.fonttype": "none"}):
        figure = Figure(figsize=(10, 5.6), facecolor="white")
        figure.subplots_adjust(left=0.08, right=0.99, top=0.98, bottom=0.11)
        _draw_published(figure.subplots(), view, titled=False)
        for label in figure.findobj(Text):
            label.set_path_effects([])  # with them Matplotlib writes outlines of letters, ten kilobytes a name
        text = rendered(figure, ".svg", dpi=figure.dpi).decode()
    return text[text.index("<svg") :]


def draw_pareto(axes: Axes, view: ParetoView) -> None:
    """One run at one rung: searched networks, papers, the front, what the budget left out."""
    title(axes, "This run: all networks trained and tested alike", _counts(view))
    axes.set_xlabel(view.quantity.axis, labelpad=4)
    axes.set_ylabel(f"{view.metric_name} (dB)")
    if view.origin:
        fine_print(axes, f"{view.depends_on}; origin at worst: {view.origin}")
    if not view.points:
        axes.text(0.5, 0.5, "no trained network yet", transform=axes.transAxes, ha="center", color=BASELINE)
        axes.set(xticks=[], yticks=[])
        return
    _limits(axes, view)
    corners = draw_steps(axes, [(point.cost, point.psnr_db) for point in view.outline], FRONT)
    for a, b in view.ties:
        ends = [a.cost, b.cost], [a.psnr_db, b.psnr_db]
        axes.plot(*ends, color=TIE, lw=13, alpha=0.4, solid_capstyle="round", zorder=2)
    for a, b in view.same_time:
        ends = [a.cost, b.cost], [a.psnr_db, b.psnr_db]
        axes.plot(*ends, color=SAME_TIME, lw=6, alpha=0.4, solid_capstyle="round", zorder=2)
    for parent, child in view.descents:
        ends = {"xy": (child.cost, child.psnr_db), "xytext": (parent.cost, parent.psnr_db)}
        axes.annotate(
            "", **ends, arrowprops={"arrowstyle": "->", "color": DESCENT, "lw": 1, "shrinkA": 4, "shrinkB": 5}
        )
    _bands(axes, view)
    others = [point for point in view.searched if not point.on_front]
    axes.scatter(
        [p.cost for p in others],
        [p.psnr_db for p in others],
        s=24,
        color=OTHER,
        lw=0,
        alpha=0.85,
        zorder=4,
        rasterized=len(others) > MOST_VECTOR_DOTS,
    )
    found = [point for point in view.searched if point.on_front]
    axes.scatter([p.cost for p in found], [p.psnr_db for p in found], s=58, color=FRONT, ec="white", lw=1, zorder=6)
    papers = view.papers
    for point in papers:
        fill, edge = ("white", PAPER) if point.trial.approximation else (PAPER, "white")
        axes.plot(point.cost, point.psnr_db, "*", ms=14, color=fill, mec=edge, mew=0.9, zorder=7)
    taken = [text.get_window_extent() for text in draw_references(axes, view)]
    short = len(found) > MOST_LONG_LABELS
    labels = [Label(p.cost, p.psnr_db, p.label, PAPER, UP_LEFT if p.on_front else RIGHT, bold=True) for p in papers]
    labels += [Label(p.cost, p.psnr_db, f"#{p.trial.trial}" if short else p.label, FRONT) for p in found]
    bottom, top = axes.get_ylim()
    labels += [
        Label(p.cost, bottom, f"{p.label}: {p.psnr_db:.2f} dB, below the axis", PAPER, 90.0)
        for p in view.below
        if p.trial.is_fixed
    ]
    lines = [corners, [(view.budget, bottom), (view.budget, top)] if view.budget else []]
    place_labels(axes, labels, [(p.cost, p.psnr_db) for p in view.points], lines, taken)


def _draw_published(axes: Axes, view: PublishedView, titled: bool = True) -> None:
    """Size against quality of fully trained networks: another axis, another training, other pictures."""
    sizes = [result.params / 1e3 for result in view.results]
    if titled:
        title(axes, view.title, _full_key(view))
    axes.set_xscale("log")
    budget = view.budget_params / 1e3 if view.budget_params else None
    # Room on both sides of the budget for what is written there.
    left, right = (budget / 3, budget * 2.2) if budget else (math.inf, 0)
    axes.set_xlim(min(min(sizes) / 2, left), max(max(sizes) * 2.2, right))
    low, high = min(r.psnr_db for r in view.results), max(r.psnr_db for r in view.results)
    height = max(high - low, LEAST_HEIGHT_DB)
    axes.set_ylim((low + high) / 2 - 0.62 * height, (low + high) / 2 + 0.62 * height)
    taken = []
    if budget:
        axes.axvspan(axes.get_xlim()[0], budget, color="#F0F5F9", lw=0, zorder=0)
        axes.axvline(budget, color=INK, lw=1, ls=(0, (4, 3)), zorder=1)
        place = {"xy": (budget, axes.get_ylim()[0]), "textcoords": "offset points", "fontsize": 9}
        text = axes.annotate("over the budget", xytext=(5, 4), **place)
        other = axes.annotate("within the budget", xytext=(-5, 4), ha="right", **place)
        axes.figure.canvas.draw()
        taken = [text.get_window_extent(), other.get_window_extent()]
    labels = []
    marks = [(size, result.psnr_db) for size, result in zip(sizes, view.results, strict=True)]
    for result, size, fits in zip(view.results, sizes, view.fits, strict=True):
        colour = BASELINE if fits is False else PAPER
        fill, edge = ("white", colour) if fits is False else (colour, "white")
        mark, mark_pt = FULL_MARKS[type(result)]
        axes.plot(size, result.psnr_db, mark, ms=mark_pt, color=fill, mec=edge, mew=0.9, zorder=4)
        labels.append(Label(size, result.psnr_db, result.network, colour, bold=fits is True))
    cost_axis(axes)
    axes.set_xlabel("Parameters (thousands), as published or counted from the code")
    axes.set_ylabel(f"{view.metric_name} (dB), {view.dataset}")
    lines = [[(budget, edge) for edge in axes.get_ylim()]] if budget else []
    left, bottom, right, top = axes.get_window_extent().extents
    middle = axes.transData.transform((budget, 1))[0] if budget else left
    for bold, sides in ((True, (left, middle)), (False, (middle, right))):  # no label on the other side of the budget
        own = most_crowded_first(axes, [label for label in labels if label.bold == bold])
        frame = Bbox.from_extents(sides[0], bottom, sides[1], top)
        taken += place_labels(axes, own, marks, lines, taken, size_pt=8, frame=frame)


def _full_key(view: PublishedView) -> str:
    """What the marks are, and what they are not."""
    words = ["not comparable with the left"]
    if view.measured:
        words.append("stars: published; diamonds: not published, measured here with the authors' weights")
    if view.left_off:
        words.append(f"{len(view.left_off)} larger not shown")
    return "; ".join(words)


def _bands(axes: Axes, view: ParetoView) -> None:
    """The error of a predicted cost at the front's members and at the papers."""
    for point in view.points:
        if point.band and (point.on_front or point.trial.is_fixed):
            colour = PAPER if point.trial.is_fixed else FRONT
            axes.plot(point.band, [point.psnr_db] * 2, color=colour, lw=1.1, alpha=0.4, marker="|", ms=7, zorder=3.5)


def _counts(view: ParetoView) -> str:
    """What the marks are, and how many."""
    front = [point for point in view.searched if point.on_front]
    others = len(view.searched) - len(front)
    words = []
    if front:
        away = any(point not in view.outline for point in front)
        words.append(f"blue: found, on the front{' (off the line: by another cost)' if away else ''}")
    if others:
        words.append(f"grey: {others} found, not on it")
    if view.papers:
        hollow = any(point.trial.approximation for point in view.papers)
        words.append(f"stars: published networks{' (hollow: approximations)' if hollow else ''}")
    if view.descents:
        words.append("purple arrows: from a network to its compressed form")
    if view.ties:
        words.append(f"orange: tied, less than {SEED_NOISE_DB:g} dB apart")
    if view.same_time:
        words.append("green: tied in predicted time")
    if view.origin:
        words.append("thin lines: its 90 % band" if view.same_time else "thin lines: 90 % band of the predicted time")
    return "; ".join(words)


def _limits(axes: Axes, view: ParetoView) -> None:
    costs = [*(point.cost for point in view.points + view.below), *([view.budget] if view.budget else [])]
    heights = [*(p.psnr_db for p in view.points), *view.lines_db.values()]
    set_limits(axes, costs, heights, view.log_cost, 0.2 if view.over_budget or view.below else 0.12)
