"""What each knob did to quality on the first rung, where every trained candidate has a result; with several generations
of shared weights, on the first rung of that which measured most."""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.plotting.style import BASELINE, FRONT, OTHER, STYLE, rendered
from search.records import RunResult

ENOUGH = 3  # a median of fewer candidates is not drawn and not compared
BETTER, LEAST_SHARE = 0.6, 1 / 8  # the better 60 % fill at least an eighth of the axis; what is lower is below it
LEAST_HEIGHT_DB = 0.05
MOST_NARROW = 9  # a knob of more values gets a picture of double width
MOST_VECTOR_DOTS, RASTER_DPI = 500, 150  # more dots become one image, which does not grow with their number
LINE_CHARACTERS = 46  # what fits side by side under a picture of single width


@dataclass(frozen=True, slots=True)
class KnobEffect:
    """PSNR over the baseline (dB) of every searched trial with a value of ``knob``, by value, in the values' order."""

    knob: str
    gains_db: dict[Any, tuple[float, ...]]

    @property
    def medians_db(self) -> dict[Any, float]:
        """By value, the median of those values that ``ENOUGH`` candidates have."""
        return {value: median(gains) for value, gains in self.gains_db.items() if len(gains) >= ENOUGH}

    @property
    def spread_db(self) -> float:
        """How far the medians of the values lie apart; 0 if there are fewer than two."""
        medians = self.medians_db.values()
        return max(medians) - min(medians) if medians else 0.0

    @property
    def is_wide(self) -> bool:
        return len(self.gains_db) > MOST_NARROW


def knob_effects(run: RunResult) -> tuple[KnobEffect, ...]:
    """Every knob that took at least two values, the one with the widest spread of medians first.

    Knobs were not varied one at a time, so an effect may be another knob's.
    """
    found: dict[str, dict[Any, list[float]]] = {}
    measured = [trial for trial in run.trials if not trial.is_fixed and trial.rungs and trial.descent is None]
    ((rung, _),) = Counter(trial.first_rung for trial in measured).most_common(1) or ((0, 0),)
    for trial in measured:
        first = trial.at_rung(rung)
        if first is None:
            continue
        for knob, value in trial.knobs.items():
            found.setdefault(knob, {}).setdefault(value, []).append(first.psnr_db - run.baseline_psnr_db)
    effects = [
        KnobEffect(knob, {value: tuple(gains[value]) for value in sorted(gains, key=_order)})
        for knob, gains in found.items()
        if len(gains) > 1
    ]
    return tuple(sorted(effects, key=lambda effect: -effect.spread_db))


def gain_window(effects: Sequence[KnobEffect]) -> tuple[float, float]:
    """Lowest and highest gain (dB) to be drawn to scale, the same for every knob so that knobs can be compared.

    A few candidates far below the others would squash these into a line: they lie below the window.
    """
    gains = [gain for effect in effects for values in effect.gains_db.values() for gain in values]
    top, typical = max(gains), float(np.quantile(gains, 1 - BETTER))
    floor = top - max(top - typical, LEAST_HEIGHT_DB) / LEAST_SHARE
    return min(gain for gain in gains if gain >= floor), top


def effect_svg(effect: KnobEffect, window_db: tuple[float, float], baseline: str = "the baseline") -> str:
    """The picture of one knob as a `data:` address: one dot per trial, a bar at each value's median, a triangle with
    the number of those below ``window_db``."""
    low, high = window_db
    room = 0.12 * max(high - low, LEAST_HEIGHT_DB)
    with matplotlib.rc_context({**STYLE, "font.size": 9}):
        figure = Figure(figsize=(6.7 if effect.is_wide else 3.2, 2.4), layout="constrained")
        axes = figure.subplots()
        is_crowded = sum(map(len, effect.gains_db.values())) > MOST_VECTOR_DOTS
        axes.set(xlim=(-0.6, len(effect.gains_db) - 0.4), ylim=(low - 2 * room, high + 2 * room))
        for place, gains in enumerate(effect.gains_db.values()):
            seen = [gain for gain in gains if gain >= low]
            # A fixed pattern of small shifts, so that equal results stay visible and pages stay the same.
            shifts = np.resize([0, 0.09, -0.09, 0.18, -0.18], len(seen))
            axes.plot(place + shifts, seen, "o", ms=4, color=OTHER, alpha=0.75, mew=0, rasterized=is_crowded)
            _note(axes, place, f"n={len(gains)}" if place == 0 and not effect.is_wide else str(len(gains)), high + room)
            if below := len(gains) - len(seen):
                axes.plot(place, low - 1.6 * room, "v", ms=6, color=BASELINE, mew=0)
                axes.annotate(
                    str(below),
                    (place, low - 1.6 * room),
                    (5, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=8,
                    color=BASELINE,
                )
        for value, centre in effect.medians_db.items():
            place = list(effect.gains_db).index(value)
            if centre >= low:
                axes.plot([place - 0.3, place + 0.3], [centre] * 2, color=FRONT, lw=2.4, solid_capstyle="butt")
        if low < 0 < high:
            axes.axhline(0, color=BASELINE, lw=0.8, ls=(0, (1, 2)), zorder=0)
        _value_ticks(axes, effect)
        axes.set_ylabel(f"dB over {baseline}")
        picture = rendered(figure, ".svg", RASTER_DPI, transparent=True)
    return "data:image/svg+xml;base64," + base64.b64encode(picture).decode()


def _note(axes: Axes, place: float, text: str, height_db: float) -> None:
    axes.text(place, height_db, text, ha="center", va="bottom", fontsize=7.5, color=BASELINE)


def _value_ticks(axes: Axes, effect: KnobEffect) -> None:
    """Every value by name, words aslant where they are long; of too many numbers only every second, third, ..."""
    names = [f"{value:g}" if isinstance(value, float) else str(value) for value in effect.gains_db]
    length = sum(len(name) + 2 for name in names) / (2 if effect.is_wide else 1)
    if length <= LINE_CHARACTERS:
        axes.set_xticks(range(len(names)), names)
    elif all(isinstance(value, int | float) for value in effect.gains_db):
        step = math.ceil(length / LINE_CHARACTERS)
        axes.set_xticks(range(0, len(names), step), names[::step])
    else:
        axes.set_xticks(range(len(names)), names, rotation=25, ha="right")


def _order(value: Any) -> tuple[int, float, str]:
    """Numbers by size, words after them by name."""
    if isinstance(value, bool | int | float | np.number):
        return 0, float(value), ""
    return 1, 0.0, str(value)
