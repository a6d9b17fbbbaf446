"""The fronts of several runs over one cost: their hypervolumes, and how much of each the others dominate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluators.quantities import Quantity, quantity
from reports.plotting.text import replace_invalid
from reports.run.hypervolume import BEYOND, Point, hypervolume
from reports.run.picking import NOTHING_YET
from reports.run.quantities import cost_objectives
from reports.run.same_protocol import check_same_protocol, common_steps
from search.pareto import SEED_NOISE_DB, losses_at_rung, non_dominated_ranks
from search.records import RunResult, TrialRecord
from space.errors import UserError


@dataclass(frozen=True)
class Member:
    """A network on a run's front; ``cost`` is in the unit of the axis (``Quantity.on_axis``)."""

    trial: TrialRecord
    cost: float
    psnr_db: float


@dataclass(frozen=True)
class ComparedFront:
    """The front of one run over PSNR and one cost, cheapest first.

    ``hypervolume`` is the area between front and reference point, in dB times decades of cost; ``share`` is what it is
    of that of all fronts together. ``dominated`` is, by the name of another run, the share of these members that a
    member of that run's front dominates (``dominated_share``); ``clearly`` counts those alone that are worse by
    the seed noise at least.
    """

    name: str
    run: RunResult
    members: tuple[Member, ...]
    hypervolume: float
    share: float
    dominated: Mapping[str, float]
    clearly: Mapping[str, float]


@dataclass(frozen=True)
class ComparedFronts:
    """Fronts after ``steps`` of training over ``quantity``.

    ``reference`` is (cost in the unit of the axis, PSNR in dB): ``BEYOND`` times the cost of the most expensive member
    of any front, and the PSNR of the baseline, or of the worst member where that is unknown. ``joint`` is the
    hypervolume of all fronts together.
    """

    quantity: Quantity
    steps: int
    fronts: tuple[ComparedFront, ...]
    reference: tuple[float, float]
    joint: float

    @property
    def says_nothing(self) -> bool:
        """Whether no front rises above the reference point by more than the seed noise."""
        highest_db = max(member.psnr_db for front in self.fronts for member in front.members)
        return highest_db - self.reference[1] < SEED_NOISE_DB

    @property
    def reference_in_words(self) -> str:
        """``11.2 G MACs, a tenth more than the most expensive network here, and 28.01 dB, bicubic``."""
        cost, psnr_db = self.reference
        of = self.quantity
        first = self.fronts[0].run
        known = not math.isnan(first.baseline_psnr_db)
        level = first.settings.rules.measure.baseline_name if known else "the worst network here"
        figure = f"{of.number(cost * of.per_axis_unit)} {of.unit}"
        return f"{figure}, a tenth more than the most expensive network here, and {psnr_db:.2f} dB, {level}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, costs in the quantity's own unit."""
        return {
            "quantity": self.quantity.key,
            "steps": self.steps,
            "reference": {"cost": self.reference[0] * self.quantity.per_axis_unit, "psnr_db": self.reference[1]},
            "reference_in_words": self.reference_in_words,
            "hypervolume_unit": "dB x decades of cost",
            "hypervolume_of_all": self.joint,
            "is_within_noise": self.says_nothing,
            "noise_db": SEED_NOISE_DB,
            "runs": [
                {
                    "run": front.name,
                    "budget": front.run.settings.budget,
                    "seed": front.run.settings.seed,
                    "trained_in": front.run.settings.trained_in,
                    "hypervolume": front.hypervolume,
                    "share_of_all": front.share,
                    "dominated_by": dict(front.dominated),
                    "clearly_dominated_by": dict(front.clearly),
                    "members": [{"trial": m.trial.trial, "source": m.trial.source} for m in front.members],
                }
                for front in self.fronts
            ],
        }


def compare_fronts(runs: Mapping[str, RunResult]) -> tuple[ComparedFronts, ...]:
    """The fronts of ``runs``, by the name to be shown, over every cost that all of them were asked to save; over MACs
    where there is none.

    Raises:
        UserError: they were not trained, measured and priced alike, or none of their networks beats the baseline.
    """
    runs = {replace_invalid(name): run for name, run in runs.items()}
    if len(runs) < 2:
        raise UserError(f"compare needs two different runs or more, got {', '.join(runs) or 'none'}")
    for run in runs.values():
        if not any(trial.rungs for trial in run.trials):
            raise UserError(NOTHING_YET.format(run.name))
    asked = [{each.key for each in cost_objectives(run.settings)} for run in runs.values()]
    first = next(iter(runs.values()))
    shared = [each for each in cost_objectives(first.settings) if all(each.key in keys for keys in asked)]
    quantities = tuple(shared) or (quantity("macs"),)
    check_same_protocol(runs, quantities)
    steps = common_steps(runs)
    return tuple(_over(each, runs, steps) for each in quantities)


def _over(along: Quantity, runs: Mapping[str, RunResult], steps: int) -> ComparedFronts:
    fronts = {name: _front(run, run.settings.rungs.index(steps), along) for name, run in runs.items()}
    everyone = [member for members in fronts.values() for member in members]
    first = next(iter(runs.values()))
    if not everyone:
        baseline = first.settings.rules.show.baseline_in_words
        raise UserError(
            f"runs to compare must have networks better than {baseline}, got none after {steps:,} steps in "
            f"{' and '.join(runs)}; a longer --time trains them further"
        )
    known = not math.isnan(first.baseline_psnr_db)
    lowest_db = first.baseline_psnr_db if known else min(member.psnr_db for member in everyone)
    reference = BEYOND * max(member.cost for member in everyone), lowest_db
    joint = hypervolume(_points(_non_dominated(everyone)), reference)
    compared = []
    for name, members in fronts.items():
        own = hypervolume(_points(members), reference)
        others = {other: theirs for other, theirs in fronts.items() if other != name}
        compared.append(
            ComparedFront(
                name,
                runs[name],
                members,
                own,
                own / joint if joint else 0.0,
                {other: dominated_share(members, theirs) for other, theirs in others.items()},
                {other: dominated_share(members, theirs, SEED_NOISE_DB) for other, theirs in others.items()},
            )
        )
    return ComparedFronts(along, steps, tuple(compared), reference, joint)


def _front(run: RunResult, rung: int, along: Quantity) -> tuple[Member, ...]:
    trials = [
        trial
        for trial in run.trials
        if trial.status == "trained"
        and (reached := trial.at_rung(rung)) is not None
        and trial.costs.has(along.key)
        and not reached.psnr_db <= run.baseline_psnr_db
    ]
    if not trials:
        return ()
    ranks = non_dominated_ranks(losses_at_rung(trials, rung, ("psnr", along.key)))
    members = (
        Member(trial, along.on_axis(trial.costs), trial.at_rung(rung).psnr_db)
        for trial, rank in zip(trials, ranks, strict=True)
        if rank == 0
    )
    return tuple(sorted(members, key=lambda member: (member.cost, member.trial.trial)))


def _points(members: Sequence[Member]) -> list[Point]:
    return [(member.cost, member.psnr_db) for member in members]


def dominated_share(members: Sequence[Member], others: Sequence[Member], by_db: float = 0.0) -> float:
    """The share of ``members`` that one of ``others`` dominates: at no more cost it is at least as good, and better in
    one of the two; better by ``by_db`` at least where that is given."""
    if not members:
        return 0.0
    beaten = sum(any(_dominates(other, member, by_db) for other in others) for member in members)
    return beaten / len(members)


def _dominates(one: Member, other: Member, by_db: float) -> bool:
    gain_db = one.psnr_db - other.psnr_db
    return one.cost <= other.cost and gain_db >= by_db and (gain_db > 0 or one.cost < other.cost)


def _non_dominated(members: Sequence[Member]) -> list[Member]:
    kept: list[Member] = []
    for member in sorted(members, key=lambda member: (member.cost, -member.psnr_db)):
        if not kept or member.psnr_db > kept[-1].psnr_db:
            kept.append(member)
    return kept
