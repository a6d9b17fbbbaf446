"""``python -m reports.networks.throughput FOLDER``: MACs against milliseconds, and which operators part them.

Papers, references and 1,000 random architectures of super-resolution x4 at 320x180 on one phone core.
"""

from __future__ import annotations

import argparse
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import matplotlib.patches
import matplotlib.ticker
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from latency_tables.lowering.fusion import architecture_operators
from latency_tables.lowering.operators import EngineOperator
from latency_tables.tables.estimate import estimate
from latency_tables.tables.table import LatencyTable, load_table
from reports import markdown
from reports.plotting.labels import Label, place_labels
from reports.plotting.places import RIGHT
from reports.plotting.style import PAPER, write_png
from space.architecture import Architecture
from space.files import write_atomically
from space.search_space import SearchSpace
from space.tasks import TASKS
from space.zoo import ZOO

TABLE, SEED, COUNT, SCALE = "pixel4-a76", 0, 1000, 4
LINES_GMACS_PER_S = (1, 2, 5, 10, 20)
COLOURS = {"symmetric": "#0072B2", "plain": "#009E73", "progressive": "#CC79A7", "pyramid": "#E69F00"}
GROUPS = {  # operators as a designer thinks of them; what is not named moves elements
    "3x3 and larger convolutions": "#0072B2",
    "1x1 convolutions": "#56B4E9",
    "grouped convolutions": "#CC79A7",
    "depthwise convolutions": "#D55E00",
    "transposed convolutions": "#009E73",
    "moving and element-wise": "#999999",
}
TENTH = 10
GROUP_PT = 7  # stars this close to each other share a label
ROOM_FOR_RATES = 3  # how far the axes go on past the networks, for the names of the lines


@dataclass(frozen=True)
class Point:
    """One network: name ("" for a random one), work, time, and both by operator group."""

    name: str
    backbone: str
    macs: int
    ms: float
    macs_by_group: dict[str, int]
    ms_by_group: dict[str, float]

    @property
    def gmacs_per_s(self) -> float:
        return self.macs / self.ms / 1e6


def group(operator: EngineOperator) -> str:
    """The key of ``GROUPS`` that ``operator`` belongs to."""
    if operator.kind == "conv":
        return "1x1 convolutions" if operator.taps == 1 else "3x3 and larger convolutions"
    named = {
        "grouped_conv": "grouped convolutions",
        "depthwise_conv": "depthwise convolutions",
        "transposed_conv": "transposed convolutions",
    }
    return named.get(operator.kind, "moving and element-wise")


def point(name: str, arch: Architecture, table: LatencyTable, input_size: tuple[int, int]) -> Point:
    operators = architecture_operators(arch, input_size)
    latency = estimate(table, operators)
    macs, ms = Counter(), Counter()
    for operator in operators:
        macs[group(operator)] += operator.macs
        ms[group(operator)] += estimate(table, [operator]).ms
    return Point(name, arch.backbone, sum(macs.values()), latency.ms, dict(macs), dict(ms))


def points(table: LatencyTable) -> tuple[Point, ...]:
    """The published networks of the task, then the random ones."""
    task = TASKS["sr"]
    size, generator = task.input_sizes[SCALE], np.random.default_rng(SEED)
    published = [(entry.name, entry.at_scale(SCALE)) for entry in ZOO.values() if entry.task == "sr"]
    space = SearchSpace(task, task.shape(SCALE))
    drawn = [("", space.decode(space.random(generator))) for _ in range(COUNT)]
    return tuple(point(name, arch, table, size) for name, arch in (*published, *drawn))


def shares(found: Iterable[Point]) -> dict[str, tuple[float, float, float | None]]:
    """By group: its share of all MACs, its share of all time, and its G MACs per second; None where it has none."""
    found = list(found)
    macs, ms = Counter(), Counter()
    for each in found:
        macs.update(each.macs_by_group)
        ms.update(each.ms_by_group)
    all_macs, all_ms = sum(macs.values()), sum(ms.values())
    return {
        name: (macs[name] / all_macs, ms[name] / all_ms, macs[name] / ms[name] / 1e6 if macs[name] else None)
        for name in GROUPS
        if ms[name]
    }


def tenths(found: Sequence[Point]) -> tuple[list[Point], list[Point]]:
    """The tenth of the random networks with the fewest MACs per second, and that with the most."""
    random = sorted((each for each in found if not each.name), key=lambda each: each.gmacs_per_s)
    count = len(random) // TENTH
    return random[:count], random[-count:]


def figure(found: Sequence[Point], table: LatencyTable) -> Figure:
    drawn = Figure(figsize=(13.6, 7.2), layout="constrained")
    scatter, bars = drawn.subplots(1, 2, width_ratios=(1.9, 1))
    _bars(bars, found)  # first: with it the panels get their sizes, in which the names of the stars are placed
    _scatter(scatter, found, table)
    return drawn


def _scatter(axes: Axes, found: Sequence[Point], table: LatencyTable) -> None:
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="G MACs at 320x180",
        ylabel=f"predicted ms on {table.name}",
        title="\n".join(textwrap.wrap(f"Work and time of sr ×4 on {table.caption}", 70)),
    )
    for backbone in dict.fromkeys(each.backbone for each in found if not each.name):
        here = [each for each in found if not each.name and each.backbone == backbone]
        axes.plot(
            [each.macs / 1e9 for each in here],
            [each.ms for each in here],
            ".",
            ms=5,
            alpha=0.45,
            color=COLOURS.get(backbone, "#666666"),
            label=f"random, {backbone}",
        )
    named = [each for each in found if each.name]
    x, y = [each.macs / 1e9 for each in named], [each.ms for each in named]
    axes.plot(x, y, "*", ms=11, color=PAPER, mec="white", mew=0.6, label="published", zorder=5)
    axes.margins(0.06)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    right, top = ROOM_FOR_RATES * right, ROOM_FOR_RATES * top
    axes.set(xlim=(left, right), ylim=(bottom, top))
    rates = []
    for rate in LINES_GMACS_PER_S:
        ends = np.array([left, right])
        axes.plot(ends, ends / rate * 1e3, color="#bbbbbb", linewidth=0.8, zorder=0)
        at = min(right, top * rate / 1e3) / 1.08
        rates.append(
            axes.annotate(
                f"{rate} G MACs/s",
                (at, at / rate * 1e3),
                ha="right",
                va="bottom",
                fontsize=8,
                color="#888888",
                rotation_mode="anchor",
            )
        )
    axes.legend(frameon=False, loc="upper left")
    axes.figure.draw_without_rendering()
    across, up = axes.transData.transform((10 * left, 10 * bottom)) - axes.transData.transform((left, bottom))
    for text in rates:
        text.set_rotation(float(np.degrees(np.arctan2(up, across))))
    labels = [
        Label(group[0].macs / 1e9, group[0].ms, "\n".join(each.name for each in group), PAPER, RIGHT)
        for group in _groups(named, axes)
    ]
    taken = [text.get_window_extent() for text in rates]
    place_labels(axes, labels, list(zip(x, y, strict=True)), taken=taken, size_pt=8)


def _groups(named: Sequence[Point], axes: Axes) -> list[list[Point]]:
    """The published networks by the spot they lie on: variants of one network share a label, the dearest first."""
    near = GROUP_PT * axes.figure.dpi / 72
    spots = {each.name: axes.transData.transform((each.macs / 1e9, each.ms)) for each in named}
    groups: list[list[Point]] = []
    for each in sorted(named, key=lambda each: -each.ms):
        for group in groups:
            if any(np.hypot(*(spots[each.name] - spots[other.name])) < near for other in group):
                group.append(each)
                break
        else:
            groups.append([each])
    return groups


def _bars(axes: Axes, found: Sequence[Point]) -> None:
    """Shares of MACs and of time in the dearest tenth, in all, and in the cheapest tenth of the random networks."""
    dear, cheap = tenths(found)
    everyone = [each for each in found if not each.name]
    rows = (("cheapest tenth", cheap), ("all random", everyone), ("dearest tenth", dear))
    ticks = []
    for row, (words, members) in enumerate(rows):
        axes.text(
            0,
            row + 0.44,
            f"{words}: median {np.median([each.gmacs_per_s for each in members]):.1f} G MACs/s",
            va="center",
            fontsize=9.5,
            fontweight="bold",
        )
        for offset, index, what in ((0.2, 0, "MACs"), (-0.2, 1, "time")):
            left = 0.0
            for name, values in shares(members).items():
                axes.barh(row + offset, values[index], 0.34, left=left, color=GROUPS[name])
                left += values[index]
            ticks.append((row + offset, what))
    axes.set_yticks(*zip(*ticks, strict=True))
    axes.set(xlim=(0, 1), xlabel="share", title="Where work and time go, by time per MAC")
    axes.xaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1))
    handles = [matplotlib.patches.Patch(color=colour, label=name) for name, colour in GROUPS.items()]
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.4, -0.12), ncols=2, frameon=False, fontsize=9)


def page(found: Sequence[Point], table: LatencyTable) -> str:
    dear, cheap = tenths(found)
    random = [each for each in found if not each.name]
    rates = [each.gmacs_per_s for each in random]
    lines = [
        "# Multiply-accumulates against milliseconds\n",
        f"Super-resolution x4 at 320x180, batch 1, fp32; milliseconds are predictions for {table.caption}. {COUNT} "
        f"random architectures (seed {SEED}) and the published networks. This page: "
        "`python -m reports.networks.throughput reports/published/throughput`.\n",
        "![MACs against milliseconds](throughput.png)\n",
        f"Random architectures make {np.percentile(rates, 5):.1f} to {np.percentile(rates, 95):.1f} G MACs a second "
        f"(5th to 95th percentile, median {np.median(rates):.1f}).\n",
    ]
    heads = ["operators", "share of MACs", "of time", "G MACs/s"]
    heads += ["dearest tenth: MACs", "time", "cheapest tenth: MACs", "time"]
    rows = []
    in_dear, in_cheap = shares(dear), shares(cheap)
    for name, (macs, ms, rate) in shares(random).items():
        cells = [f"{macs:.0%}", f"{ms:.0%}", f"{rate:.1f}" if rate else "–"]
        cells += [f"{share:.0%}" for part in (in_dear, in_cheap) for share in part.get(name, (0, 0, None))[:2]]
        rows.append((name, *cells))
    published = sorted((each for each in found if each.name), key=lambda each: each.gmacs_per_s)
    lines += [
        *markdown.table(heads, rows),
        "",
        *markdown.table(
            ("published network", "G MACs", "ms", "G MACs/s"),
            ((each.name, f"{each.macs / 1e9:.2f}", f"{each.ms:,.0f}", f"{each.gmacs_per_s:.1f}") for each in published),
        ),
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    table = load_table(TABLE)
    found = points(table)
    write_atomically(folder / "README.md", page(found, table).encode())
    write_png(folder / "throughput.png", lambda: figure(found, table))


if __name__ == "__main__":
    main()
