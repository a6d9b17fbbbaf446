"""Kendall's tau of every signal, with its interval, for all designs and for the random ones alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.lines
import numpy as np
from matplotlib.figure import Figure

from latency_tables.plot_style import KINDS
from reports.benchmark.ranking import Ranking
from reports.benchmark.table import BANK, COST, LEARNT, PROXY, TRAINED, TUNED
from reports.plotting.style import DESCENT, FRONT, OTHER, PAPER, SAME_TIME, TIE

LIGHT = KINDS[5]
COLOURS = {TRAINED: FRONT, BANK: SAME_TIME, TUNED: LIGHT, LEARNT: DESCENT, COST: TIE, PROXY: PAPER}
GROUPS = {"all": ("all designs", "o", -0.16), "random": ("random designs alone", "D", 0.18)}


def figure(title: str, last: int, rankings: Mapping[str, Sequence[Ranking]]) -> Figure:
    """A row per signal, in their order, with the number of designs where they are fewer; ``rankings`` by group
    (``GROUPS``), ``last`` the steps of the reference."""
    names = [each.signal.name for each in rankings["all"]]
    drawn = Figure(figsize=(8.6, 0.42 * len(names) + 1.9), layout="constrained")
    axes = drawn.subplots()
    for group, (_, marker, offset) in GROUPS.items():
        for each in rankings.get(group, ()):
            row, colour = names.index(each.signal.name) + offset, COLOURS[each.signal.kind]
            axes.plot([each.low, each.high], [row, row], color=colour, lw=1.4, alpha=0.55, solid_capstyle="butt")
            face = colour if group == "all" else "white"
            axes.plot(each.tau, row, marker, ms=6.5 if group == "all" else 5.5, color=colour, mfc=face)
    axes.axvline(0, color=OTHER, lw=0.8, zorder=0)
    axes.grid(axis="x", color="#f0f0f0")
    most = max(each.designs for each in rankings["all"])
    fewer = ["" if each.designs == most else f" ({each.designs})" for each in rankings["all"]]
    labels = [name + count for name, count in zip(names, fewer, strict=True)]
    axes.set(yticks=np.arange(len(names)), yticklabels=labels, ylim=(len(names) - 0.5, -0.6))
    axes.set_xlim(right=1.02)
    axes.set_xlabel(f"Kendall's tau with PSNR after {last:,} steps alone: 1 the same order, 0 no relation")
    axes.set_title(title, fontsize=12, loc="left")
    kinds = dict.fromkeys(each.signal.kind for each in rankings["all"])
    handles = [matplotlib.lines.Line2D([], [], color=COLOURS[kind], lw=4, label=kind) for kind in kinds]
    handles += [
        matplotlib.lines.Line2D([], [], ls="", marker=marker, color="#555555", mfc="#555555" if group == "all" else "w")
        for group, (_, marker, _) in GROUPS.items()
        if rankings.get(group)
    ]
    words = [*kinds, *(said for group, (said, _, _) in GROUPS.items() if rankings.get(group))]
    drawn.legend(handles, words, loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return drawn
