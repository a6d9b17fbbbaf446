"""What came out of a run, in sentences: the best under the budget, and whether it beats the papers."""

from __future__ import annotations

from dataclasses import dataclass

from reports.quantities import all_costs, cost_objectives
from reports.ties import SEED_NOISE_DB
from search.pareto import front, front_rung
from search.records import RunResult, RunSettings, TrialRecord

FORM_MARK = "+"     # "s-lwsr16+skip" is another form of "s-lwsr16"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The best searched network that costs no more than a fixed trial, in every cost the run was asked to save.

    ``better`` is None when every network that was found costs more in some way. ``gain_db`` is its PSNR less the
    paper's, ``saved`` the share of each cost that it saves, by the cost's word.
    """

    paper: TrialRecord
    better: TrialRecord | None
    gain_db: float | None
    saved: dict[str, float]

    @property
    def dominates(self) -> bool:
        """No dearer, and better by more than the seed noise."""
        return self.better is not None and self.gain_db >= SEED_NOISE_DB

    @property
    def sentence(self) -> str:
        name, number = self.paper.source, f"#{self.better.trial}" if self.better else ""
        if self.better is None:
            return f"Nothing found is as cheap as {name}."
        costs = " and ".join(f"{share:.0%} less {_noun(word)}" for word, share in self.saved.items())
        if self.dominates:
            return f"{number} dominates {name}: {self.gain_db:+.2f} dB with {costs}."
        if self.gain_db > -SEED_NOISE_DB:
            return f"{number} ties with {name} ({self.gain_db:+.2f} dB is within the seed noise) with {costs}."
        return f"Nothing found dominates {name}: the best as cheap, {number}, is {-self.gain_db:.2f} dB below."


def best_found(run: RunResult) -> TrialRecord | None:
    """The searched front member of the highest PSNR."""
    rung = front_rung(run)
    found = [trial for trial in front(run) if not trial.is_fixed]
    return max(found, key=lambda trial: trial.at_rung(rung).psnr_db, default=None)


def asked(settings: RunSettings) -> str:
    """What the run was asked for, in a sentence."""
    costs = " and ".join(_noun(quantity.name) for quantity in cost_objectives(settings))
    return f"{settings.task} ×{settings.scale} networks within {settings.budget}: the most PSNR for the least {costs}."


def outcome(run: RunResult) -> str:
    """What came out, in a sentence; every figure is from the records."""
    best = best_found(run)
    if best is None:
        return "No searched network is on the front yet."
    result = best.at_rung(front_rung(run))
    gain = result.psnr_db - run.baseline_psnr_db
    costs = all_costs(best.costs, ", ")
    return f"Best within the budget: {gain:+.2f} dB over bicubic ({result.psnr_db:.2f} dB) with {costs}: #{best.trial}."


def comparisons(run: RunResult) -> tuple[Comparison, ...]:
    """Every fixed trial at the front's rung against what was found.

    Of the forms in which one paper's network ran (as published, with an input skip), only the better one is compared.
    """
    rung = front_rung(run)
    at_rung = [trial for trial in run.trials if trial.status == "trained" and trial.at_rung(rung) is not None]
    fixed = [trial for trial in at_rung if trial.is_fixed]
    strongest: dict[str, TrialRecord] = {}
    for trial in fixed:
        family, _, _ = trial.source.partition(FORM_MARK)
        rival = strongest.get(family)
        if rival is None or trial.at_rung(rung).psnr_db > rival.at_rung(rung).psnr_db:
            strongest[family] = trial
    found = [trial for trial in at_rung if not trial.is_fixed]
    return tuple(_compare(run, rung, paper, found) for paper in strongest.values())


def _compare(run: RunResult, rung: int, paper: TrialRecord, found: list[TrialRecord]) -> Comparison:
    quantities = cost_objectives(run.settings)
    as_cheap = [t for t in found if all(q.of(t.costs) <= q.of(paper.costs) for q in quantities)]
    better = max(as_cheap, key=lambda trial: trial.at_rung(rung).psnr_db, default=None)
    if better is None:
        return Comparison(paper, None, None, {})
    gain_db = better.at_rung(rung).psnr_db - paper.at_rung(rung).psnr_db
    saved = {q.name: 1 - q.of(better.costs) / q.of(paper.costs) for q in quantities}
    return Comparison(paper, better, gain_db, saved)


def _noun(word: str) -> str:
    """``less of it``: every cost as something one can have less of."""
    return {"params": "parameters", "macs": "multiply-accumulates", "memory": "activation memory"}.get(word, word)
