"""What the picture of a front shows, worked out before anything is drawn."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from evaluators.quantities import Quantity
from reports.plotting.text import replace_invalid
from reports.run.advice import beats_baseline
from reports.run.describe import short_label
from reports.run.quantities import depends_on, latency_quantities, measured_in
from reports.run.ties import same_time, ties
from reports.run.times import worst_origin
from search.pareto import front, front_rung, losses_at_rung, non_dominated_ranks
from search.records import RunResult, TrialRecord
from search.request.budget import parse_budget

LOG_SPAN = 10  # a cost axis that spans more than this factor is logarithmic
MOST_DESCENTS = 12  # lines from parents to children; more would hide the points
FOCUS = 2.0  # points this many front heights below the best are noted at the lower edge, not drawn to scale
LEAST_HEIGHT_DB = 0.25  # a front of one point or of equal ones is given this height


@dataclass(frozen=True, slots=True)
class Point:
    """One trial at the front's rung. ``cost`` and the ends of its ``band``, None of an exact cost, are in the unit of
    the view's axis. What is no better than the baseline is never ``on_front``."""

    trial: TrialRecord
    cost: float
    psnr_db: float
    label: str
    on_front: bool
    band: tuple[float, float] | None = None


@dataclass(frozen=True)
class ParetoView:
    """One pair of axes: a cost and the PSNR at one rung, with everything that is drawn on them.

    ``outline`` are the points of the front line, cheapest first: those members that no other beats in this pair.
    ``bottom_db`` is the lower end of the axis; points below it are listed in ``below``.
    ``lines_db`` are the levels of the baseline and of classical methods, by name; those that lie below the axis, and
    methods more than the front's height above the best, are in ``beyond_db``. ``budget`` and ``over_budget`` are costs.
    ``descents`` are parents with what was made of them by compression.
    ``ties`` are neighbours of one quality, ``same_time`` neighbours whose predicted milliseconds cannot be told apart.
    ``origin`` is the worst origin of predicted costs, None of exact ones; ``depends_on`` what they hold for.
    """

    quantity: Quantity
    rung: int
    steps: int | None
    points: tuple[Point, ...]
    outline: tuple[Point, ...]
    ties: tuple[tuple[Point, Point], ...]
    same_time: tuple[tuple[Point, Point], ...]
    descents: tuple[tuple[Point, Point], ...]
    origin: str | None
    depends_on: str
    below: tuple[Point, ...]
    bottom_db: float | None
    metric_name: str
    baseline_in_words: str
    lines_db: dict[str, float]
    beyond_db: dict[str, float]
    budget: float | None
    budget_text: str | None
    over_budget: tuple[float, ...]
    log_cost: bool
    caption: str

    @property
    def papers(self) -> tuple[Point, ...]:
        return tuple(point for point in self.points if point.trial.is_fixed)

    @property
    def searched(self) -> tuple[Point, ...]:
        return tuple(point for point in self.points if not point.trial.is_fixed)


def pareto_view(run: RunResult, quantity: Quantity) -> ParetoView:
    """The front of ``run`` over ``quantity``. Only results of the front's rung are on it."""
    rung = front_rung(run)
    members = front(run)
    numbers = {trial.trial for trial in members}
    points = {
        trial.trial: Point(
            trial,
            quantity.on_axis(trial.costs),
            trial.at_rung(rung).psnr_db,
            short_label(trial),
            trial.trial in numbers and beats_baseline(run, trial),
            quantity.band(trial.costs),
        )
        for trial in run.trials
        if trial.status == "trained" and trial.at_rung(rung) is not None
    }
    bottom_db = _bottom_db([points[trial.trial].psnr_db for trial in members])
    below = tuple(point for point in points.values() if bottom_db is not None and point.psnr_db < bottom_db)
    lines_db = _lines_db(run, bottom_db, [points[trial.trial].psnr_db for trial in members])
    above = tuple(point for point in points.values() if bottom_db is None or point.psnr_db >= bottom_db)
    outline = _outline(tuple(t for t in members if beats_baseline(run, t)), rung, quantity)
    table = quantity.table
    same = (same_time(run, table, members) or ()) if table else ()
    over_budget = tuple(quantity.on_axis(trial.costs) for trial in run.trials if trial.status == "over-budget")
    limit = budget_limits(run.settings.budget).get(quantity.key)
    budget = limit / quantity.per_axis_unit if limit else None
    costs = [*(point.cost for point in points.values()), *([budget] if budget else [])]
    return ParetoView(
        quantity=quantity,
        rung=rung,
        steps=run.settings.rungs[rung] if run.settings.rungs else None,
        points=above,
        outline=tuple(points[trial.trial] for trial in outline),
        ties=tuple((points[a.trial], points[b.trial]) for a, b in ties(outline, rung)),
        same_time=tuple((points[a.trial], points[b.trial]) for a, b in same),
        descents=_descents(points, numbers),
        origin=worst_origin([point.trial for point in points.values()], table) if table else None,
        depends_on=depends_on(quantity, run.settings),
        below=below,
        bottom_db=bottom_db,
        metric_name=run.settings.rules.measure.metric_name,
        baseline_in_words=run.settings.rules.show.baseline_in_words,
        lines_db=lines_db,
        beyond_db={name: db for name, db in _levels_db(run).items() if name not in lines_db},
        budget=budget,
        budget_text=f"budget {quantity.number(limit)} {quantity.unit}" if limit else None,
        over_budget=over_budget,
        log_cost=bool(costs) and max(costs) > LOG_SPAN * min(costs),
        caption=caption(run, rung),
    )


def caption(run: RunResult, rung: int) -> str:
    """Everything that the numbers depend on, in one line; what milliseconds on an axis depend on stands there."""
    settings = run.settings
    width, height = settings.input_size
    trained = [trial for trial in run.trials if trial.at_rung(rung) is not None]
    times = (
        f"; {q.unit}: predicted with a 90 % band for {depends_on(q, settings)}, "
        f"origin {worst_origin(trained, use.name)}"
        for q, use in zip(latency_quantities(settings), settings.tables, strict=True)
        if q.key not in settings.objectives
    )
    format_ = measured_in(settings)
    overlap = f" ({settings.overlap})" if settings.overlap else ""
    steps = f"after {settings.rungs[rung]:,} training steps (rung {rung + 1} of {len(settings.rungs)})"
    return replace_invalid(
        f"{settings.rules.title}; budget {settings.budget}; {settings.rules.measure.metric_rule}, {steps}, "
        f"seed {settings.seed}; trained in {settings.trained_in} on {settings.train_data}, "
        f"measured in {format_} on {settings.val_data}{overlap}; "
        f"costs for a {width}×{height} input, batch 1, {format_}; "
        f"{settings.rules.measure.baseline_name} {run.baseline_psnr_db:.2f} dB"
        + "".join(f"; {name}, no network, {db:.2f} dB" for name, db in run.classical_baselines_db.items())
        + "".join(times)
    )


def _descents(points: Mapping[int, Point], members: Collection[int]) -> tuple[tuple[Point, Point], ...]:
    """Parents with their compressed children; where many are, those of which one is on the front."""
    pairs = [(points[p.trial.parent], p) for p in points.values() if p.trial.parent in points]
    if len(pairs) <= MOST_DESCENTS:
        return tuple(pairs)
    return tuple(pair for pair in pairs if members & {point.trial.trial for point in pair})


def budget_limits(budget: str) -> dict[str, float]:
    """Limits by quantity, in single parameters, multiply-accumulates, bytes, ms; none for an empty budget."""
    return {limit.quantity: limit.value for limit in parse_budget(budget).limits} if budget else {}


def _outline(members: tuple[TrialRecord, ...], rung: int, quantity: Quantity) -> list[TrialRecord]:
    if not members:
        return []
    ranks = non_dominated_ranks(losses_at_rung(members, rung, ("psnr", quantity.key)))
    chosen = [trial for trial, rank in zip(members, ranks, strict=True) if rank == 0]
    return sorted(chosen, key=lambda trial: (quantity.of(trial.costs), trial.trial))


def _levels_db(run: RunResult) -> dict[str, float]:
    """The baseline, if it is known, and classical methods."""
    levels_db = {run.settings.rules.measure.baseline_name: run.baseline_psnr_db, **run.classical_baselines_db}
    return {name: db for name, db in levels_db.items() if not math.isnan(db)}


def _lines_db(run: RunResult, bottom_db: float | None, front_db: list[float]) -> dict[str, float]:
    """The levels that lie on the axis, which one above the front makes longer: the baseline always, others if close."""
    if bottom_db is None:
        return _levels_db(run)
    top = max(front_db) + (max(front_db) - bottom_db) / FOCUS
    name_of_baseline = run.settings.rules.measure.baseline_name
    return {
        name: db for name, db in _levels_db(run).items() if bottom_db <= db and (db <= top or name == name_of_baseline)
    }


def _bottom_db(front_db: list[float]) -> float | None:
    """Lower end of a PSNR axis on which the front stays legible."""
    if not front_db:
        return None
    top = max(front_db)
    height = max(top - min(front_db), LEAST_HEIGHT_DB)
    bottom = top - FOCUS * height
    return math.floor(bottom * 20) / 20
