"""Quality of published networks on each test set: trained here, with our input skip, and as published."""

from __future__ import annotations

import matplotlib
import matplotlib.lines
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluators.tasks import TaskRules
from reports.experiments.reported_sets import reported_set, set_title
from reports.plotting.style import BASELINE, FRONT, PAPER
from search.candidates.fixed_trials import SKIP_SUFFIX

ROW_HEIGHT_IN = 0.27
SKIPPING = "#009E73"
FAR_BELOW_DB = 6  # below the baseline, a figure's mark becomes a number at its edge: such a training diverged


def figure(table: pd.DataFrame, rules: TaskRules) -> Figure:
    """Per test set a panel with a row per network: the baseline, ours, with our input skip, and what was published.

    Trainings of different lengths stand in blocks of their own, the shortest first, because they cannot be compared.

    Args:
        table: of one task: rows as in ``reproduction.csv`` (``reports.experiments.reproduction.rows``).
    """
    table = table.assign(form=table["network"].str.replace(SKIP_SUFFIX, "", regex=False))
    specs = list(dict.fromkeys(table["test"]))
    lengths = sorted(set(table["steps"]))
    drawn = Figure(figsize=(3.0 + 2.9 * len(specs), ROW_HEIGHT_IN * _rows_of(table) + 1.6), layout="constrained")
    panels = drawn.subplots(1, len(specs), sharey=True, squeeze=False)[0]
    places, labels, row = [], [], 0
    for steps in lengths:
        if len(lengths) > 1:
            places, labels, row = [*places, row], [*labels, f"after {steps:,} steps"], row + 1
        block = table[table["steps"] == steps].sort_values(["params", "form"], kind="stable")
        for (params, name), here in block.groupby(["params", "form"], sort=False):
            for axes, spec in zip(panels, specs, strict=True):
                _draw_row(axes, row, here[here["test"] == spec])
            places, labels, row = [*places, row], [*labels, f"{name}  {params / 1e3:,.0f}k"], row + 1
    for axes, spec in zip(panels, specs, strict=True):
        there = reported_set(spec)
        axes.set(
            title=set_title(spec, rules) + (f"\n({there.note})" if there and there.note else ""),
            xlabel=f"{rules.measure.metric_name}, dB",
        )
        axes.grid(axis="both", color="#eeeeee")
        axes.set_axisbelow(True)
    panels[0].set_ylim(row - 0.4, -0.6)
    panels[0].set_yticks(places, labels)
    for text in panels[0].get_yticklabels():
        text.set_fontweight("bold" if text.get_text().startswith("after ") else "normal")
    after = f", after {lengths[0]:,} steps" if len(lengths) == 1 else ""
    kinds = (
        ("|", BASELINE, f"{rules.measure.baseline_name}, no network"),
        ("o", FRONT, f"trained here{after}"),
        ("D", SKIPPING, "the same with our input skip"),
        ("*", PAPER, "as published"),
    )
    used = {line.get_marker() for axes in panels for line in axes.lines}
    handles = [
        matplotlib.lines.Line2D([], [], linestyle="", marker=marker, color=colour, ms=8, mew=1.5, label=label)
        for marker, colour, label in kinds
        if marker in used
    ]
    drawn.legend(handles=handles, loc="outside lower center", ncols=min(4, 1 + len(specs)), frameon=False)
    return drawn


def _rows_of(table: pd.DataFrame) -> int:
    networks = len(table[["params", "form", "steps"]].drop_duplicates())
    lengths = table["steps"].nunique()
    return networks + (lengths if lengths > 1 else 0)


def _draw_row(axes: Axes, row: int, here: pd.DataFrame) -> None:
    """One network on one test set, in the forms that were trained."""
    ends = []
    for record in here.to_dict("records"):
        psnr_db, baseline_db, published_db = (
            record[name] for name in ("psnr_db", "baseline_psnr_db", "published_psnr_db")
        )
        marker, colour = ("D", SKIPPING) if SKIP_SUFFIX in record["network"] else ("o", FRONT)
        axes.plot(baseline_db, row, "|", color=BASELINE, ms=11, mew=1.5)
        ends.append(baseline_db)
        if psnr_db < baseline_db - FAR_BELOW_DB:
            axes.annotate(
                f"◂ {psnr_db:.1f}",
                (0, row),
                (3, 0),
                ("axes fraction", "data"),
                "offset points",
                color=colour,
                fontsize=9,
                va="center",
            )
        else:
            axes.plot(psnr_db, row, marker, color=colour, ms=6)
            ends.append(psnr_db)
        if not pd.isna(published_db):
            ends.append(published_db)
            if not any(line.get_marker() == "*" and line.get_ydata()[0] == row for line in axes.lines):
                axes.plot(published_db, row, "*", color=PAPER, ms=11)
    if ends:
        axes.plot([min(ends), max(ends)], [row, row], color="#cccccc", linewidth=1.5, zorder=1)
