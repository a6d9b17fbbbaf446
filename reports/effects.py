"""What each knob did to quality on the first rung, where every trained candidate has a result."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from statistics import median
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from reports.plots import BASELINE, FRONT, OTHER, STYLE
from search.records import RunResult


@dataclass(frozen=True, slots=True)
class KnobEffect:
    """PSNR over bicubic (dB) of every searched trial with a value of ``knob``, by value, in the values' order."""

    knob: str
    gains_db: dict[Any, tuple[float, ...]]

    @property
    def spread_db(self) -> float:
        """How far the medians of the values lie apart."""
        medians = [median(gains) for gains in self.gains_db.values()]
        return max(medians) - min(medians)


def knob_effects(run: RunResult) -> tuple[KnobEffect, ...]:
    """Every knob that took at least two values, the one with the widest spread of medians first.

    Knobs were not varied one at a time, so an effect may be another knob's.
    """
    found: dict[str, dict[Any, list[float]]] = {}
    for trial in run.trials:
        first = trial.at_rung(0)
        if trial.is_fixed or first is None:
            continue
        for knob, value in trial.knobs.items():
            found.setdefault(knob, {}).setdefault(value, []).append(first.psnr_db - run.baseline_psnr_db)
    effects = [
        KnobEffect(knob, {value: tuple(gains[value]) for value in sorted(gains, key=_order)})
        for knob, gains in found.items()
        if len(gains) > 1
    ]
    return tuple(sorted(effects, key=lambda effect: -effect.spread_db))


def effect_svg(effect: KnobEffect) -> str:
    """The picture of one knob as a `data:` address: one dot per trial, a bar at each value's median."""
    with matplotlib.rc_context({**STYLE, "font.size": 9}):
        figure = Figure(figsize=(max(3.2, 0.5 * len(effect.gains_db)), 2.4), layout="constrained")
        axes = figure.subplots()
        for place, gains in enumerate(effect.gains_db.values()):
            # A fixed pattern of small shifts, so that equal results stay visible and pages stay the same.
            shifts = np.resize([0, 0.09, -0.09, 0.18, -0.18], len(gains))
            axes.plot(place + shifts, gains, "o", ms=4, color=OTHER, alpha=0.75, mew=0)
            axes.plot([place - 0.3, place + 0.3], [median(gains)] * 2, color=FRONT, lw=2.4, solid_capstyle="butt")
        names = [f"{value:g}" if isinstance(value, float) else str(value) for value in effect.gains_db]
        ticks = [f"{name}\nn={len(gains)}" for name, gains in zip(names, effect.gains_db.values(), strict=True)]
        crowded = sum(map(len, names)) > 30
        if crowded:
            ticks = [tick.replace("\n", ", ") for tick in ticks]
        axes.set_xticks(range(len(ticks)), ticks, rotation=25 if crowded else 0, ha="right" if crowded else "center")
        low, high = axes.get_ylim()
        if low < 0 < high:
            axes.axhline(0, color=BASELINE, lw=0.8, ls=(0, (1, 2)), zorder=0)
        axes.set_ylabel("dB over bicubic")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


def _order(value: Any) -> tuple[int, float, str]:
    """Numbers by size, words after them by name."""
    if isinstance(value, bool | int | float | np.number):
        return 0, float(value), ""
    return 1, 0.0, str(value)
