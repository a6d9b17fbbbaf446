"""A run on another phone: its networks and their quality as they are, their milliseconds by another table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from evaluators.compression.design import design_costs
from evaluators.quantities import latency_key, quantity
from reports.run.front import write_front
from reports.run.html import write_report
from reports.run.pareto_plot import write_pareto
from reports.run.quantities import cost_objectives
from search.pareto import front
from search.records import RunResult, TrialRecord
from search.request.budget import parse_budget
from search.request.tables import TableUse, load_used
from space.errors import UserError
from space.files import write_atomically

FEWEST = 4  # a rank correlation of fewer networks says nothing


@dataclass(frozen=True)
class Recosted:
    """A run as one table prices it.

    ``run`` has the trained networks that the table can price, with all costs at the input asked for, and the objectives
    PSNR and milliseconds. ``refused`` are the other trained ones, each with the reason.
    """

    use: TableUse
    run: RunResult
    refused: tuple[tuple[TrialRecord, str], ...]

    @property
    def key(self) -> str:
        return latency_key(self.use.name)

    @property
    def front(self) -> tuple[TrialRecord, ...]:
        return front(self.run)


def recost(run: RunResult, use: TableUse, input_size: tuple[int, int]) -> Recosted:
    """``run`` by the table ``use``, at a network input of (width, height) pixels. Nothing is trained."""
    tables = load_used((use,))
    priced: list[TrialRecord] = []
    refused: list[tuple[TrialRecord, str]] = []
    for trial in run.trials:
        if not trial.rungs:
            continue
        try:
            priced.append(replace(trial, costs=design_costs(*trial.as_design, input_size, tables)))
        except UserError as error:
            refused.append((trial, str(error)))
    settings = replace(
        run.settings,
        objectives=("psnr", latency_key(use.name)),
        input_size=input_size,
        tables=(use,),
        budget=_budget_at(run, input_size),
    )
    again = replace(run, name=f"{run.name} on {use.name}", settings=settings, trials=tuple(priced))
    return Recosted(use, again, tuple(refused))


def rank_changes(run: RunResult, recosted: Sequence[Recosted]) -> dict[tuple[str, str], float | None]:
    """Spearman's correlation of the networks' costs: of the run's own first cost with each table's milliseconds, and
    of each two tables; None where fewer than four networks have both."""
    own = cost_objectives(run.settings)[0].key
    trained = [trial for trial in run.trials if trial.rungs and trial.costs.has(own)]
    costs = {f"the run's {own}": {trial.trial: trial.cost(own) for trial in trained}}
    for other in recosted:
        costs[other.use.name] = {trial.trial: trial.cost(other.key) for trial in other.run.trials}
    frame = pd.DataFrame(costs)
    return {(first, second): _spearman(frame[[first, second]]) for first, second in combinations(costs, 2)}


def only_on(recosted: Sequence[Recosted]) -> dict[str, tuple[int, ...]]:
    """By table, the trials that are on its front and not on that of every other table."""
    fronts = {other.use.name: {trial.trial for trial in other.front} for other in recosted}
    everywhere = set.intersection(*fronts.values())
    return {name: tuple(sorted(members - everywhere)) for name, members in fronts.items()}


def summary(run: RunResult, recosted: Sequence[Recosted]) -> dict[str, Any]:
    """All of it as JSON: by table what it is, its front cheapest first, and what it refused; and how ranks change."""
    width, height = recosted[0].run.settings.input_size
    exclusive = only_on(recosted)
    return {
        "run": run.name,
        "input": f"{width}x{height}",
        "tables": {other.use.name: _summary_of(other, exclusive[other.use.name]) for other in recosted},
        "spearman": [
            {"between": list(pair), "rank_correlation": value} for pair, value in rank_changes(run, recosted).items()
        ],
    }


def write_recost(run: RunResult, recosted: Sequence[Recosted], folder: Path) -> Path:
    """Write ``recost.json``, and for each table ``front-TABLE.csv`` and ``.json``, ``pareto-TABLE.png`` and ``.svg``
    and ``report-TABLE.html``; return the path of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    for other in recosted:
        name = other.use.name
        write_front(other.run, folder, f"front-{name}")
        write_pareto(other.run, folder, published=(), name=f"pareto-{name}")
        write_report(other.run, folder, name=f"report-{name}", is_brief=True)
    path = folder / "recost.json"
    text = json.dumps(summary(run, recosted), indent=1, ensure_ascii=False)
    write_atomically(path, (text + "\n").encode())
    return path


def _summary_of(other: Recosted, exclusive: tuple[int, ...]) -> Mapping[str, Any]:
    members = ({"trial": t.trial, "source": t.source, **t.costs.to_dict()} for t in other.front)
    return {
        **other.use.to_dict(),
        "networks": len(other.run.trials),
        "front": [{**member, **member.pop("latency")[other.use.name]} for member in members],
        "not_on_every_front": list(exclusive),
        "refused": [{"trial": t.trial, "source": t.source, "reason": reason} for t, reason in other.refused],
    }


def _spearman(pair: pd.DataFrame) -> float | None:
    both = pair.dropna()
    if len(both) < FEWEST:
        return None
    value = both.iloc[:, 0].rank().corr(both.iloc[:, 1].rank())
    return None if pd.isna(value) else float(value)


def _budget_at(run: RunResult, input_size: tuple[int, int]) -> str:
    """The run's limits that still mean something: at another input size those of work, memory and time do not."""
    if input_size == run.settings.input_size or not run.settings.budget:
        return run.settings.budget
    limits = parse_budget(run.settings.budget).limits
    return ",".join(limit.text for limit in limits if quantity(limit.quantity).is_fixed)
