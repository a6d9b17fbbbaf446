"""The fronts as a figure: PSNR against milliseconds, and what each design has over the pruned network of its time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.experiments.pruned_fronts_table import SHORT, Cell, gains, percent
from reports.plotting.labels import Label, place_labels
from reports.plotting.style import FRONT, INK, OTHER, PAPER, SAME_TIME, TIE
from search.experiments.pruned_fronts import ARMS, NARROWER, PARENT, PRUNED, SAME, SEARCHED

COLOURS: Mapping[str, str] = {PRUNED: FRONT, SAME: PAPER, NARROWER: SAME_TIME, SEARCHED: TIE, PARENT: INK}
MARKERS: Mapping[str, str] = {PRUNED: "o", SAME: "s", NARROWER: "D", SEARCHED: "^", PARENT: "*"}
APART = 0.16  # between the arms of one share, in rows


def figure(found: Sequence[Cell], test: str, table: str, metric: str) -> Figure:
    """``table`` and ``metric`` are the names on the axes."""
    drawn = Figure(figsize=(12.4, 5.2), layout="constrained")
    drawn.get_layout_engine().set(w_pad=0.12)
    left, right = drawn.subplots(1, 2, width_ratios=(1.25, 1))
    _differences(right, found, test)
    _fronts(left, found, test)
    left.set(xlabel=f"predicted milliseconds on {table}", ylabel=f"{metric}, dB")
    left.set_title("Fronts: mean and standard deviation over seeds")
    drawn.draw_without_rendering()
    _label(left, found, test)
    return drawn


def _fronts(axes: Axes, found: Sequence[Cell], test: str) -> None:
    axes.set_xscale("log")
    for arm in (PARENT, *ARMS):
        own = [cell for cell in found if cell.arm == arm]
        deviations = [cell.deviation_db(test) or 0.0 for cell in own]
        means = [cell.mean_db(test) for cell in own]
        axes.errorbar(
            [cell.ms for cell in own],
            means,
            yerr=deviations,
            color=COLOURS[arm],
            marker=MARKERS[arm],
            ms=11 if arm == PARENT else 6,
            lw=2 if arm == PRUNED else 1.3,
            capsize=3,
            zorder=4 if arm == PRUNED else 3,
        )
    if found:
        times = [cell.ms for cell in found]
        axes.set_xlim(min(times) * 0.75, max(times) * 1.35)
    axes.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda ms, _: f"{ms:,.0f}"))
    axes.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.grid(color="#eeeeee")
    axes.margins(y=0.12)


def _label(axes: Axes, found: Sequence[Cell], test: str) -> None:
    """Each line by its name, at its point that is farthest from the other lines'."""
    points = {(cell.arm, cell.ratio): (cell.ms, cell.mean_db(test)) for cell in found}
    labels, lines = [], []
    for arm, name in {PARENT: "the parent, before it is pruned", **ARMS}.items():
        own = [cell for cell in found if cell.arm == arm]
        if not own:
            continue
        lines.append([points[cell.arm, cell.ratio] for cell in own])
        at = max(own, key=lambda cell: _distance(cell, found, test))
        others = [cell.mean_db(test) for cell in found if cell.ratio == at.ratio and cell.arm != arm]
        is_above = not others or at.mean_db(test) >= float(np.mean(others))
        labels.append(Label(*points[arm, at.ratio], name, COLOURS[arm], 90 if is_above else -90, bold=arm == PRUNED))
    place_labels(axes, labels, list(points.values()), lines)


def _distance(cell: Cell, found: Sequence[Cell], test: str) -> float:
    others = [each.mean_db(test) for each in found if each.ratio == cell.ratio and each.arm != cell.arm]
    return min((abs(cell.mean_db(test) - value) for value in others), default=0.0)


def _differences(axes: Axes, found: Sequence[Cell], test: str) -> None:
    """A row for each share: every seed, the mean, and its 95 % interval, of each arm minus the pruned network."""
    ratios = sorted({cell.ratio for cell in found if cell.arm == PRUNED})
    arms = [arm for arm in ARMS if arm != PRUNED]
    for gain in gains(found, test):
        arm = gain.other.arm
        row = ratios.index(gain.pruned.ratio) + APART * 1.7 * (arms.index(arm) - 1)
        each = [-value for value in gain.each_db.values()]
        axes.plot(each, [row] * len(each), MARKERS[arm], color=COLOURS[arm], ms=5, alpha=0.35)
        axes.errorbar(-gain.mean_db, row, xerr=gain.half_db, fmt="|", ms=12, mew=2.2, color=COLOURS[arm], capsize=3)
        axes.annotate(
            SHORT[arm],
            (1, row),
            (4, 0),
            ("axes fraction", "data"),
            "offset points",
            color=COLOURS[arm],
            fontsize=9,
            va="center",
            annotation_clip=False,
        )
    axes.axvline(0, color=COLOURS[PRUNED], lw=2)
    axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
    axes.grid(axis="x", color="#eeeeee")
    for line in range(1, len(ratios)):
        axes.axhline(line - 0.5, color=OTHER, lw=0.6)
    times = {cell.ratio: cell.ms for cell in found if cell.arm == PRUNED}
    axes.set_yticks(range(len(ratios)), [f"{percent(ratio)} pruned\n{times[ratio]:,.0f} ms" for ratio in ratios])
    axes.set_ylim(len(ratios) - 0.5, -0.5)
    axes.set_xlabel("dB over the pruned network of the same time and seed")
    axes.set_title("Trained from random weights: seeds, mean, 95 % interval")
