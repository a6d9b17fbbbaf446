"""Which network of a run to take, what more and less would cost, and what to do where none is worth its cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

from evaluators.quantities import cost_texts, quantity
from reports.run.describe import in_words
from reports.run.quantities import cost_objectives
from search.pareto import SEED_NOISE_DB, front, front_rung
from search.records import RunResult, TrialRecord
from search.request.budget import parse_budget

SAME = 0.05  # as a share: costs that differ less are called the same


def beats_baseline(run: RunResult, trial: TrialRecord, by_db: float = 0.0) -> bool:
    """Whether ``trial`` is better than doing nothing by more than ``by_db``, at the front's rung or its highest below.

    A run without a known baseline (NaN) cannot tell and says yes.
    """
    result = trial.at_rung(front_rung(run)) or max(trial.rungs, key=lambda result: result.rung, default=None)
    if result is None:
        return False
    return math.isnan(run.baseline_psnr_db) or result.psnr_db - run.baseline_psnr_db > by_db


def worthwhile(run: RunResult) -> tuple[TrialRecord, ...]:
    """The front's members that beat the baseline by more than the seed noise, cheapest first."""
    return tuple(trial for trial in front(run) if beats_baseline(run, trial, SEED_NOISE_DB))


def recommended(run: RunResult) -> TrialRecord | None:
    """The knee of the ``worthwhile`` members; None where there are none."""
    members = worthwhile(run)
    return knee(run, members) if members else None


def knee(run: RunResult, members: Sequence[TrialRecord]) -> TrialRecord:
    """The member farthest above the line between the cheapest and the most expensive one, on a log-cost axis."""
    rung, first = front_rung(run), cost_objectives(run.settings)[0]
    costs = [math.log(first.of(trial.costs)) for trial in members]
    heights = [trial.at_rung(rung).psnr_db for trial in members]
    width, rise = costs[-1] - costs[0] or 1.0, heights[-1] - heights[0]
    line = [heights[0] + rise * (cost - costs[0]) / width for cost in costs]
    above = [height - straight for height, straight in zip(heights, line, strict=True)]
    return members[above.index(max(above))]


def recommendation(run: RunResult) -> str:
    """One sentence: which network to take, what it brings and what it costs; or that none is worth having."""
    trial = recommended(run)
    if trial is not None:
        what = f"{named(trial)}, {gain(run, trial)}, with {', '.join(cost_texts(trial.costs))}"
        psnr_db = trial.at_rung(front_rung(run)).psnr_db
        better = [
            f"{name} {db - psnr_db:.2f} dB better" for name, db in run.classical_baselines_db.items() if db > psnr_db
        ]
        if better:
            return f"No network needed: {', '.join(better)} than the network to take, {what}."
        return f"Recommended: {what}."
    best = best_of(run, [t for t in run.trials if t.status == "trained" and t.at_rung(front_rung(run)) is not None])
    if best is None:
        return "No network has been trained yet."
    baseline = f"{run.settings.rules.show.baseline_in_words} ({run.baseline_psnr_db:.2f} dB)"
    over_db = best.at_rung(front_rung(run)).psnr_db - run.baseline_psnr_db
    if over_db > 0:
        return (
            f"No network is clearly better than {baseline}: the best, {named(best)}, is {over_db:+.2f} dB over it, "
            "within the seed noise."
        )
    return f"Nothing beats {baseline}: the best network, {named(best)}, is {-over_db:.2f} dB below it."


def alternatives(run: RunResult) -> tuple[str, ...]:
    """Beside the recommended network: what the best and the cheapest bring and cost, a sentence each.

    Only a best one that is better by more than the seed noise is named. Where nothing is recommended: what may help.
    """
    chosen = recommended(run)
    if chosen is None:
        return (_what_may_help(run),) if any(trial.rungs for trial in run.trials) else ()
    members, rung = worthwhile(run), front_rung(run)
    best, cheapest = best_of(run, members), members[0]
    sentences = []
    if best.at_rung(rung).psnr_db - chosen.at_rung(rung).psnr_db >= SEED_NOISE_DB:
        sentences.append(f"More quality: {named(best)}, the best within the budget, is {_against(run, best, chosen)}.")
    if cheapest is not chosen:
        sentences.append(
            f"Less cost: {named(cheapest)}, the cheapest on the front, is {_against(run, cheapest, chosen)}."
        )
    return tuple(sentences)


def best_of(run: RunResult, trials: Sequence[TrialRecord]) -> TrialRecord | None:
    rung = front_rung(run)
    return max(trials, key=lambda trial: trial.at_rung(rung).psnr_db, default=None)


def gain(run: RunResult, trial: TrialRecord) -> str:
    psnr_db = trial.at_rung(front_rung(run)).psnr_db
    return f"{psnr_db:.2f} dB, {psnr_db - run.baseline_psnr_db:+.2f} over {run.settings.rules.show.baseline_in_words}"


def named(trial: TrialRecord) -> str:
    """``#17``, or of a paper ``s-lwsr16+skip``."""
    return in_words(trial) if trial.is_fixed else f"#{trial.trial}"


def _against(run: RunResult, trial: TrialRecord, other: TrialRecord) -> str:
    """``0.12 dB better for 3.8 times the MACs (10.19 G MACs)``."""
    rung = front_rung(run)
    apart_db = trial.at_rung(rung).psnr_db - other.at_rung(rung).psnr_db
    costs = " and ".join(
        f"{share(each.of(trial.costs) / each.of(other.costs))} {each.unit} ({each.text(trial.costs)})"
        for each in cost_objectives(run.settings)
    )
    noise = ", within the seed noise," if abs(apart_db) < SEED_NOISE_DB else ""
    return f"{abs(apart_db):.2f} dB {'better' if apart_db >= 0 else 'worse'}{noise} for {costs}"


def share(ratio: float) -> str:
    """``3.8 times the``, ``36 % of the``, or ``about the same``; a unit follows."""
    if abs(ratio - 1) < SAME:
        return "about the same"
    if ratio < 1:
        return f"{100 * ratio:.2g} % of the"
    return f"{ratio:.2g} times the" if ratio < 100 else f"{ratio:,.0f} times the"


def _what_may_help(run: RunResult) -> str:
    """Only what this run's own figures speak for."""
    settings = run.settings
    steps = settings.rungs[front_rung(run)]
    over = sum(trial.status == "over-budget" for trial in run.trials)
    width, height = settings.input_size
    help_with = [f"more --time (these networks were trained for {steps:,} steps)"]
    if settings.budget:
        refused = f"{over} of {len(run.trials)} candidates were over {settings.budget}" if over else settings.budget
        help_with.append(f"a larger --budget ({refused})")
        if any(not quantity(limit.quantity).is_fixed for limit in parse_budget(settings.budget).limits):
            help_with.append(f"a smaller --input (the budget holds for {width}×{height})")
    return f"Keep {settings.rules.show.baseline_in_words} for now. What may help: {', '.join(help_with)}."
