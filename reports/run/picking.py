"""The network to take under other limits: the best that keeps them, what it gives up, and what is as good as it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from evaluators.compression.design import design_costs, design_difference
from evaluators.costs import Costs
from evaluators.quantities import Quantity, quantity
from latency_tables.tables.table import LatencyTable
from reports.run.quantities import cost_objectives
from reports.run.ties import SEED_NOISE_DB, usable_table
from search.pareto import front_rung, losses_at_rung, non_dominated_ranks
from search.records import RungResult, RunResult, TrialRecord
from search.request.budget import Budget, parse_budget
from search.request.tables import TableUse, load_used, tables_of
from space.errors import UserError

NOTHING_YET = "{} must have a trained network, got none yet; the same call continues it"
PREFERENCES = ("psnr", "latency")


@dataclass(frozen=True)
class Beside:
    """Another network of the run beside the one that was picked.

    ``gain_db`` is its PSNR less the pick's, ``cost_ratio`` its cost over the pick's (``Pick.quantity``).
    ``same_quality`` says that the PSNR differs by less than the seed noise, ``same_time`` that a latency table cannot
    tell the two apart: the 90 % band of their difference holds zero. ``over`` are the limits that it breaks, as they
    were written.
    """

    trial: TrialRecord
    gain_db: float
    cost_ratio: float
    same_quality: bool
    same_time: bool
    over: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        return {**_described(self.trial), **{name: getattr(self, name) for name in _BESIDE}, "over": list(self.over)}


_BESIDE = ("gain_db", "cost_ratio", "same_quality", "same_time")


@dataclass(frozen=True)
class Pick:
    """The network to take from a run under limits (``Run.pick``); nothing was trained for it.

    Attributes:
        trial: the network, with its costs on every latency table that was asked for.
        result: its quality, at the front's rung.
        budget: the limits, written as for ``search.run``; empty without limits.
        prefer: ``psnr`` or ``latency``.
        quantity: the cost that the front is drawn over: that of the first limit in milliseconds, else of the first
            limit where limits were asked for, else the run's first objective.
        cheaper: the next cheaper one on that front, within the limits; None where the pick is the cheapest.
        better: the next better one: of those with more PSNR, the one that exceeds the limits least.
        highest: the highest PSNR within the limits; the pick itself if ``prefer`` is ``psnr``.
        best: the best network of the run without any limit; the pick itself where nothing is better.
        alike: others of the front, from within the limits, that the seed noise or the latency table does not tell
            apart from the pick.
        unpriced: trials that a latency table has no figure for, and that were therefore left out.
        tables: the latency tables asked for.
    """

    trial: TrialRecord
    result: RungResult
    budget: str
    prefer: str
    quantity: Quantity
    cheaper: Beside | None
    better: Beside | None
    highest: Beside
    best: Beside
    alike: tuple[Beside, ...]
    unpriced: tuple[int, ...]
    tables: tuple[TableUse, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            **_described(self.trial),
            "psnr_db": self.result.psnr_db,
            "ssim": self.result.ssim,
            "rung": self.result.rung,
            "steps": self.result.steps,
            "budget": self.budget,
            "prefer": self.prefer,
            "quantity": self.quantity.key,
            "noise_db": SEED_NOISE_DB,
            "cheaper": self.cheaper and self.cheaper.to_dict(),
            "better": self.better and self.better.to_dict(),
            "highest": self.highest.to_dict(),
            "best": self.best.to_dict(),
            "alike": [other.to_dict() for other in self.alike],
            "unpriced": list(self.unpriced),
            "tables": [asdict(use) for use in self.tables],
        }


def pick(run: RunResult, budget: str | None = None, prefer: str = "psnr") -> Pick:
    """The network of ``run`` to take within ``budget``, of those that reached the front's rung.

    Args:
        budget: limits as for ``search.run``, with any latency table; the run's own if None.
        prefer: ``psnr``: the highest PSNR. ``latency``: the cheapest of those whose PSNR is within the seed noise of
            the highest, by ``Pick.quantity``.

    Raises:
        UserError: nothing is trained yet, or no network fits the budget; names the nearest.
    """
    if prefer not in PREFERENCES:
        raise UserError(f"--prefer must be one of {', '.join(PREFERENCES)}, got {prefer!r}")
    asked = parse_budget(text) if (text := budget or run.settings.budget) else Budget(())
    uses = _tables_asked(run, asked) if budget else ()
    priced, unpriced = _priced(run, uses)
    rung, along = front_rung(run), _quantity(run, asked, is_other=bool(budget))
    fitting = [trial for trial in priced if asked.allows(trial.costs)]
    if not fitting:
        raise UserError(_nothing_fits(run, asked, priced))
    best_within = _highest(fitting, rung, along)
    chosen = best_within
    if prefer == "latency":
        level_db = _psnr_db(best_within, rung) - SEED_NOISE_DB
        good = [trial for trial in fitting if _psnr_db(trial, rung) > level_db]
        chosen = min(good, key=lambda trial: (along.of(trial.costs), -_psnr_db(trial, rung), trial.trial))
    table = _table(run, along, uses)

    def beside(trial: TrialRecord) -> Beside:
        gain_db = _psnr_db(trial, rung) - _psnr_db(chosen, rung)
        return Beside(
            trial,
            gain_db,
            along.of(trial.costs) / along.of(chosen.costs),
            abs(gain_db) < SEED_NOISE_DB,
            table is not None and _same_time(run, chosen, trial, table),
            tuple(limit.text for limit in asked.broken(trial.costs)),
        )

    within = [beside(trial) for trial in _front(fitting, rung, along) if trial is not chosen]
    above = [trial for trial in priced if _psnr_db(trial, rung) > _psnr_db(chosen, rung)]
    better = min(above, key=lambda trial: (_excess(asked, trial.costs), along.of(trial.costs)), default=None)
    return Pick(
        trial=chosen,
        result=chosen.at_rung(rung),
        budget=asked.text,
        prefer=prefer,
        quantity=along,
        cheaper=max((other for other in within if other.cost_ratio < 1), key=lambda o: o.cost_ratio, default=None),
        better=None if better is None else beside(better),
        highest=beside(best_within),
        best=beside(_highest(priced, rung, along)),
        alike=tuple(other for other in within if other.same_quality or other.same_time),
        unpriced=unpriced,
        tables=uses,
    )


def _tables_asked(run: RunResult, asked: Budget) -> tuple[TableUse, ...]:
    """The tables that limits name; a name may also be that of a file that the run was made with."""
    own = {use.name: use.source for use in run.settings.tables}
    return tables_of("--budget", (own.get(source, source) for source in asked.sources))


def _priced(run: RunResult, uses: tuple[TableUse, ...]) -> tuple[list[TrialRecord], tuple[int, ...]]:
    """The trained networks at the front's rung with milliseconds on the tables asked for beside those that they have;
    and the numbers of those that a table cannot price."""
    rung, tables = front_rung(run), load_used(uses)
    there = [trial for trial in run.trials if trial.status == "trained" and trial.at_rung(rung) is not None]
    if not there:
        raise UserError(NOTHING_YET.format(run.name))
    if not tables:
        return there, ()
    priced, refused, reason = [], [], None
    for trial in there:
        try:
            costs = design_costs(*trial.as_design, run.settings.input_size, tables)
        except UserError as error:
            refused.append(trial.trial)
            reason = reason or error
            continue
        latency = {**trial.costs.latency, **costs.latency}
        priced.append(replace(trial, costs=replace(costs, latency=latency)))
    if not priced and reason is not None:
        raise reason
    return priced, tuple(refused)


def _quantity(run: RunResult, asked: Budget, is_other: bool) -> Quantity:
    keys = [limit.quantity for limit in asked.limits]
    times = [key for key in keys if quantity(key).table is not None]
    if is_other and keys:
        return quantity((times or keys)[0])
    return cost_objectives(run.settings)[0]


def _table(run: RunResult, along: Quantity, uses: Sequence[TableUse]) -> LatencyTable | None:
    """The table that ``along`` is milliseconds on; None of another quantity, or where it is no longer to be had."""
    if along.table is None:
        return None
    for use, table in zip(uses, load_used(tuple(uses)), strict=True):
        if use.name == along.table:
            return table
    return usable_table(run.settings, along.table)


def _same_time(run: RunResult, chosen: TrialRecord, other: TrialRecord, table: LatencyTable) -> bool:
    return design_difference(chosen.as_design, other.as_design, run.settings.input_size, table).tied


def _front(trials: Sequence[TrialRecord], rung: int, along: Quantity) -> list[TrialRecord]:
    ranks = non_dominated_ranks(losses_at_rung(trials, rung, ("psnr", along.key)))
    return [trial for trial, rank in zip(trials, ranks, strict=True) if rank == 0]


def _highest(trials: Sequence[TrialRecord], rung: int, along: Quantity) -> TrialRecord:
    """The highest PSNR; the cheaper of two that are equal."""
    return max(trials, key=lambda trial: (_psnr_db(trial, rung), -along.of(trial.costs), -trial.trial))


def _psnr_db(trial: TrialRecord, rung: int) -> float:
    return trial.at_rung(rung).psnr_db


def _excess(asked: Budget, costs: Costs) -> float:
    """How many times over the limit that it exceeds most; 1 within all of them."""
    return max([1.0, *(costs.of(limit.quantity) / limit.value for limit in asked.limits)])


def _nothing_fits(run: RunResult, asked: Budget, priced: Sequence[TrialRecord]) -> str:
    nearest = min(priced, key=lambda trial: _excess(asked, trial.costs))
    figures = " and ".join(quantity(limit.quantity).exact_text(nearest.costs) for limit in asked.broken(nearest.costs))
    found = f"the nearest, #{nearest.trial}, has {figures}"
    return f"--budget must allow a trained network of {run.name}, got {asked.text}; {found}"


def _described(trial: TrialRecord) -> dict[str, Any]:
    return {
        "trial": trial.trial,
        "source": trial.source,
        "architecture": trial.architecture.key,
        "specialists": trial.architecture.shape.specialists,
        **trial.costs.to_dict(),
    }
