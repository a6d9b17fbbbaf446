"""The picture of how fronts grew: of one run, or of several, where runs that differ in their seeds alone are a band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from evaluators.quantities import Quantity
from latency_tables.plot_style import KINDS
from reports.plotting.style import FRONT, INK, STYLE, literal_texts, rendered
from reports.plotting.text import replace_invalid
from reports.run.comparing import ComparedFronts
from reports.run.growth import growth
from reports.run.hypervolume import BEYOND, Point
from reports.run.quantities import cost_objectives
from search.records import RunResult, Status

SIZE_IN = (6.7, 3.0)
FEWEST = 2  # results that enlarged a front; of fewer there is no picture
PLACES = 300  # along the time axis, at which a band is computed


@dataclass(frozen=True)
class Curve:
    """One or several courses, each (seconds, area) until ``end_s``; ``dashes`` are Matplotlib's."""

    label: str
    colour: str
    courses: tuple[tuple[Point, ...], ...]
    end_s: float
    dashes: str = "-"


def growth_svg(run: RunResult) -> str:
    """Of one run, over its first cost; empty where it is not known, or there is nothing to see."""
    along = cost_objectives(run.settings)[0]
    costs = [
        along.on_axis(trial.costs)
        for trial in run.trials
        if trial.status == Status.TRAINED and trial.costs.has(along.key)
    ]
    if not costs:
        return ""
    reference = BEYOND * max(costs), run.baseline_psnr_db
    curves = [Curve("all networks", FRONT, (growth(run, along, reference),), run.elapsed_s)]
    searched = growth(run, along, reference, searched_alone=True)
    if searched and searched != curves[0].courses[0]:
        curves.append(Curve("without published networks", INK, (searched,), run.elapsed_s, "--"))
    return _svg(curves, along)


def compared_growth_svg(compared: ComparedFronts) -> str:
    """Of several runs over one cost, up to the reference point of their comparison."""
    groups: dict[str, list[RunResult]] = {}
    for front in compared.fronts:
        alike = replace(front.run.settings, seed=0, created="", environment={}, rungs=(), precision={})
        groups.setdefault(repr(alike), []).append(front.run)
    curves = []
    for index, runs in enumerate(groups.values()):
        courses = tuple(growth(run, compared.quantity, compared.reference) for run in runs)
        if all(courses):
            name = runs[0].name if len(runs) == 1 else f"{len(runs)} seeds"
            settings = runs[0].settings
            label = replace_invalid(
                f"{name}: {settings.sampler}, {settings.evaluator}, {settings.budget or 'no limit'}"
            )
            curves.append(Curve(label, KINDS[index % len(KINDS)], courses, max(run.elapsed_s for run in runs)))
    return _svg(curves, compared.quantity)


def _svg(curves: Sequence[Curve], along: Quantity) -> str:
    curves = [curve for curve in curves if all(len(course) >= FEWEST for course in curve.courses)]
    if not curves:
        return ""
    with matplotlib.rc_context({**STYLE, "svg.fonttype": "none"}):
        figure = Figure(figsize=SIZE_IN, layout="constrained")
        axes = figure.subplots()
        end_s = max(curve.end_s for curve in curves)
        unit_s, unit = (3600.0, "hours") if end_s > 2 * 3600 else (60.0, "minutes") if end_s > 120 else (1.0, "seconds")
        for curve in curves:
            _draw(axes, curve, unit_s)
        axes.set(xlim=(0, end_s / unit_s), ylim=(0, None))
        axes.set_xlabel(f"{unit} of the run")
        axes.set_ylabel(f"area under the front\n(dB × decades of {along.noun})")
        axes.grid(axis="y", color="#EEEEEE", lw=0.8)
        axes.set_axisbelow(True)
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)
        literal_texts(figure)
        svg = rendered(figure, ".svg").decode()
    return svg[svg.index("<svg") :]


def _draw(axes: Axes, curve: Curve, unit_s: float) -> None:
    """A course as steps; several as their mean, in the band between the lowest and the highest."""
    if len(curve.courses) == 1:
        seconds, areas = zip(*curve.courses[0], strict=True)
        places, heights = np.array([0.0, *seconds, curve.end_s]), [0.0, *areas, areas[-1]]
        look = {"color": curve.colour, "ls": curve.dashes, "lw": 1.8, "label": curve.label}
        axes.step(places / unit_s, heights, where="post", **look)
        return
    places = np.linspace(0, curve.end_s, PLACES)
    heights = np.array([_at(course, places) for course in curve.courses])
    axes.fill_between(places / unit_s, heights.min(0), heights.max(0), color=curve.colour, alpha=0.2, lw=0)
    axes.plot(places / unit_s, heights.mean(0), color=curve.colour, lw=1.8, label=curve.label)


def _at(course: Sequence[Point], places: np.ndarray) -> np.ndarray:
    """The area at each of ``places``, in seconds."""
    seconds, areas = np.array(course).T
    return np.concatenate([[0.0], areas])[np.searchsorted(seconds, places, side="right")]
