"""Which networks of a run are worth a picture."""

from __future__ import annotations

from reports.run.advice import best_of, knee, recommended
from reports.run.describe import short_label
from reports.run.headline import comparisons
from search.pareto import front
from search.records import RunResult, TrialRecord

RECOMMENDED = "recommended"
ORDER = ("cheapest", "knee", RECOMMENDED, "best")


def shown_members(run: RunResult) -> dict[str, TrialRecord]:
    """By label: the cheapest, the recommended and the best searched member of the front, then the first and the best
    paper, and a paper that is recommended.

    Where no searched member is recommended it is the knee. One network may be two of these; it then appears once. Of a
    paper it is the form with the higher PSNR.
    """
    members = [trial for trial in front(run) if not trial.is_fixed]
    choice = recommended(run)
    chosen: dict[int, tuple[str, TrialRecord]] = {}
    if members:
        middle = (RECOMMENDED, choice) if choice in members else ("knee", knee(run, members))
        pairs = (("best", best_of(run, members)), ("cheapest", members[0]), middle)
        for word, trial in sorted(pairs, key=lambda pair: pair[0] != RECOMMENDED):
            chosen.setdefault(trial.trial, (word, trial))
    found = sorted(chosen.values(), key=lambda pair: ORDER.index(pair[0]))
    shown = {f"{word}: {short_label(trial)}": trial for word, trial in found}
    papers = [comparison.paper for comparison in comparisons(run)]
    if papers:
        papers = [papers[0], best_of(run, papers)]
    if choice is not None and choice.is_fixed:
        papers.append(choice)
    return {**shown, **{trial.source: trial for trial in papers}}
