"""The axes of a front's picture: limits, ticks, titles, and the front as steps."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from reports.run.pareto_view import LEAST_HEIGHT_DB


def title(axes: Axes, text: str, note: str) -> None:
    width_in = axes.get_position().width * axes.figure.get_figwidth()
    lines = textwrap.wrap(note, int(width_in * 13.5))
    above_pt = 8 + 13 * max(2, len(lines))
    axes.set_title(text, loc="left", fontsize=12.5, fontweight="bold", pad=above_pt + 6)
    axes.annotate(
        "\n".join(lines),
        (0, 1),
        (0, above_pt),
        xycoords="axes fraction",
        textcoords="offset points",
        va="top",
        fontsize=9.5,
        color="#555555",
        linespacing=1.35,
    )


def fine_print(axes: Axes, text: str) -> None:
    """Small print under the name of the cost axis."""
    width_in = axes.get_position().width * axes.figure.get_figwidth()
    axes.annotate(
        "\n".join(textwrap.wrap(text, int(width_in * 15))),
        (0.5, 0),
        (0, -36),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=8.5,
        color="#555555",
        linespacing=1.3,
        parse_math=False,
    )


def set_limits(
    axes: Axes, costs: Sequence[float], heights_db: Sequence[float], log_cost: bool, below: float = 0.12
) -> None:
    """Axes that hold all ``costs`` and ``heights_db``, with room around them: ``below`` of the height at the bottom."""
    low, high = min(costs), max(costs)
    if log_cost:
        axes.set_xscale("log")
        span = max(high / low, 1.3)
        axes.set_xlim(low / span**0.16, high * span**0.16)
    else:
        span = (high - low) or 0.3 * high
        axes.set_xlim(max(low - 0.2 * span, 0), high + 0.16 * span)
    cost_axis(axes)
    bottom, top = min(heights_db), max(heights_db)
    bottom = min(bottom, top - LEAST_HEIGHT_DB)
    height = top - bottom
    axes.set_ylim(bottom - below * height, top + 0.17 * height)
    axes.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(axis="y", color="#EEEEEE", lw=0.8)
    axes.set_axisbelow(True)


def cost_ticks(low: float, high: float) -> list[float]:
    """Round numbers from ``low`` to ``high`` for a logarithmic axis, few enough to be written side by side."""
    steps = (1, 2, 5) if high < 700 * low else (1, 3) if high < 5000 * low else (1,)
    ticks = [step * 10.0**power for power in range(-6, 13) for step in steps]
    return [tick for tick in ticks if low <= tick <= high]


def cost_axis(axes: Axes) -> None:
    """Plain numbers on the cost axis, also on a logarithmic one."""
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    if axes.get_xscale() == "log":
        axes.xaxis.set_major_locator(FixedLocator(cost_ticks(*axes.get_xlim())))
        axes.xaxis.set_minor_locator(NullLocator())


def draw_steps(
    axes: Axes, points: Sequence[tuple[float, float]], colour: str, dashes: str | tuple = "-"
) -> list[tuple[float, float]]:
    """Draw a front, `(cost, dB)` cheapest first, as steps from its cheapest member on; return their corners."""
    if not points:
        return []
    corners = [points[0]]
    for cost, psnr_db in points[1:]:
        corners += [(cost, corners[-1][1]), (cost, psnr_db)]
    corners.append((axes.get_xlim()[1], corners[-1][1]))
    axes.plot(*zip(*corners, strict=True), color=colour, lw=1.4, alpha=0.75, zorder=3, ls=dashes)
    return corners
