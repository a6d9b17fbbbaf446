"""The outcome of a run, in sentences: the best under the budget, and whether it beats the papers."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.quantities import cost_texts, quantity
from reports.run.advice import best_of, gain, recommendation
from reports.run.describe import in_words
from reports.run.quantities import cost_objectives
from reports.run.ties import SEED_NOISE_DB, same_time
from search.pareto import front, front_rung
from search.records import RunResult, RunSettings, TrialRecord

FORM_MARK = "+"  # "s-lwsr16+skip" is another form of "s-lwsr16"
ABLATION_MARK = "-"  # "s-lwsr16-no-pool" is a lesser configuration of "s-lwsr16"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A fixed trial against what was found nearest to it.

    ``nearest`` is the best searched network that costs no more in every cost the run was asked to save. Where every
    one costs more, ``is_dearer`` is true and it is the one that exceeds the paper least; None if none was found at all.
    ``gain_db`` is its PSNR less the paper's, ``saved`` the share of each cost that it saves, by quantity key.
    ``is_best`` says that it is the run's ``best_found``, ``is_ablation`` that the paper's main configuration ran too.
    ``tied`` are the costs in milliseconds that the table cannot tell apart.
    """

    paper: TrialRecord
    nearest: TrialRecord | None
    gain_db: float | None
    saved: dict[str, float]
    is_dearer: bool
    is_best: bool
    is_ablation: bool
    tied: frozenset[str] = frozenset()

    @property
    def dominates(self) -> bool:
        """Costs no more and is better by more than the seed noise."""
        return self.nearest is not None and not self.is_dearer and self.gain_db >= SEED_NOISE_DB

    @property
    def sentence(self) -> str:
        name = in_words(self.paper)
        if self.nearest is None:
            return f"No searched network has reached the rung of {name} yet."
        number = f"#{self.nearest.trial}"
        costs = self._costs
        if self.dominates:
            return f"{number} dominates {name}: {self.gain_db:+.2f} dB with {costs}."
        if self.is_dearer:
            return f"Nothing found is as cheap as {name}: the closest, {number}, has {costs} and {self._level} it."
        if self.gain_db > -SEED_NOISE_DB:
            return f"{number} ties with {name} ({self.gain_db:+.2f} dB is within the seed noise) with {costs}."
        which = "The best network found on the front" if self.is_best else "The best network found at no higher cost"
        return f"{which}, {number}, has {costs} and {self._level} {name}."

    @property
    def brief(self) -> str:
        """The same in a few words: ``#13 is 0.10 dB below s-lwsr16-no-pool+skip with 28% fewer MACs``."""
        if self.nearest is None:
            return f"nothing yet for {in_words(self.paper)}"
        return f"#{self.nearest.trial} {self._level} {in_words(self.paper)} with {self._costs}"

    @property
    def _costs(self) -> str:
        return " and ".join(
            quantity(key).saving(share) + (" (a tie: within the band of the difference)" if key in self.tied else "")
            for key, share in self.saved.items()
        )

    @property
    def _level(self) -> str:
        if abs(self.gain_db) < SEED_NOISE_DB:
            return "is within the seed noise of"
        return f"is {abs(self.gain_db):.2f} dB {'above' if self.gain_db > 0 else 'below'}"


def best_found(run: RunResult) -> TrialRecord | None:
    """The searched front member of the highest PSNR."""
    return best_of(run, [trial for trial in front(run) if not trial.is_fixed])


def asked(settings: RunSettings) -> str:
    """What the run was asked for, in a sentence."""
    costs = " and ".join(each.least for each in cost_objectives(settings))
    budget = settings.budget or "any budget"
    return f"{settings.rules.title} networks within {budget}: the most PSNR for {costs}."


def outcome(run: RunResult) -> str:
    """The outcome in a sentence; every figure is from the records.

    If the best network within the budget is a published one, the best searched network is named too.
    """
    found, best = best_found(run), best_of(run, front(run))
    if best is None:
        return recommendation(run)
    if best is found:
        return f"Best within the budget, found by the search: {_figures(run, best)}: #{best.trial}."
    whose = "a paper's network" if best.approximation else "a paper's own network"
    papers = f"The best within the budget is {whose}, {in_words(best)}"
    if found is None:
        return f"No searched network is on the front yet. {papers}: {_figures(run, best)}."
    searched = f"The best that the search put on the front: {_figures(run, found)}: #{found.trial}"
    return f"{papers}: {gain(run, best)}. {searched}."


def against_classical_baselines(run: RunResult) -> tuple[str, ...]:
    """A sentence for every classical method that was measured, against the best within the budget."""
    best = best_of(run, front(run))
    if best is None:
        return ()
    psnr_db = best.at_rung(front_rung(run)).psnr_db
    return tuple(
        f"{name.capitalize()}, which needs no network, reaches {db:.2f} dB: {abs(psnr_db - db):.2f} dB "
        f"{'less' if psnr_db >= db else 'more'} than the best network here."
        for name, db in run.classical_baselines_db.items()
    )


def comparisons(run: RunResult) -> tuple[Comparison, ...]:
    """Every fixed trial at the front's rung against what was found.

    Of the forms in which one paper's network ran (as published, with an input skip), only the better one is compared.
    """
    rung = front_rung(run)
    at_rung = [trial for trial in run.trials if trial.status == "trained" and trial.at_rung(rung) is not None]
    strongest: dict[str, TrialRecord] = {}
    for trial in at_rung:
        base, _, _ = trial.source.partition(FORM_MARK)
        rival = strongest.get(base)
        if trial.is_fixed and (rival is None or trial.at_rung(rung).psnr_db > rival.at_rung(rung).psnr_db):
            strongest[base] = trial
    found = [trial for trial in at_rung if not trial.is_fixed]
    return tuple(
        _compare(run, paper, found, any(base.startswith(other + ABLATION_MARK) for other in strongest))
        for base, paper in strongest.items()
    )


def _compare(run: RunResult, paper: TrialRecord, found: list[TrialRecord], is_ablation: bool) -> Comparison:
    if not found:
        return Comparison(paper, None, None, {}, False, False, is_ablation)
    rung, quantities = front_rung(run), cost_objectives(run.settings)
    excess = {t.trial: max(q.of(t.costs) / q.of(paper.costs) for q in quantities) for t in found}
    as_cheap = [trial for trial in found if excess[trial.trial] <= 1]
    nearest = best_of(run, as_cheap) or min(found, key=lambda trial: excess[trial.trial])
    return Comparison(
        paper=paper,
        nearest=nearest,
        gain_db=nearest.at_rung(rung).psnr_db - paper.at_rung(rung).psnr_db,
        saved={q.key: 1 - q.of(nearest.costs) / q.of(paper.costs) for q in quantities},
        is_dearer=not as_cheap,
        is_best=nearest is best_found(run),
        is_ablation=is_ablation,
        tied=frozenset(q.key for q in quantities if q.table is not None and same_time(run, q.table, (nearest, paper))),
    )


def _figures(run: RunResult, trial: TrialRecord) -> str:
    return f"{gain(run, trial)}, with {', '.join(cost_texts(trial.costs))}"
