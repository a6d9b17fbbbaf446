"""Which networks of a run are worth a picture."""

from __future__ import annotations

import math

from reports.run.describe import short_label
from reports.run.headline import comparisons
from reports.run.quantities import cost_objectives
from search.pareto import front, front_rung
from search.records import RunResult, TrialRecord


def shown_members(run: RunResult) -> dict[str, TrialRecord]:
    """By label: the cheapest, the knee and the best searched member of the front, then the first and the best paper.

    One network may be two of these; it then appears once. Of a paper it is the form with the higher PSNR.
    """
    rung = front_rung(run)
    members = [trial for trial in front(run) if not trial.is_fixed]
    chosen: dict[int, tuple[str, TrialRecord]] = {}
    if members:
        best = max(members, key=lambda trial: trial.at_rung(rung).psnr_db)
        for word, trial in (("best", best), ("cheapest", members[0]), ("knee", knee(run, members))):
            chosen.setdefault(trial.trial, (word, trial))
    order = {"cheapest": 0, "knee": 1, "best": 2}
    found = sorted(chosen.values(), key=lambda pair: order[pair[0]])
    shown = {f"{word}: {short_label(trial)}": trial for word, trial in found}
    papers = [comparison.paper for comparison in comparisons(run)]
    if papers:
        papers = [papers[0], max(papers, key=lambda trial: trial.at_rung(rung).psnr_db)]
    return {**shown, **{trial.source: trial for trial in papers}}


def knee(run: RunResult, members: list[TrialRecord]) -> TrialRecord:
    """The member farthest above the straight line between the cheapest and the dearest, cost taken by its logarithm."""
    rung, quantity = front_rung(run), cost_objectives(run.settings)[0]
    costs = [math.log(quantity.of(trial.costs)) for trial in members]
    heights = [trial.at_rung(rung).psnr_db for trial in members]
    width, rise = costs[-1] - costs[0] or 1.0, heights[-1] - heights[0]
    line = [heights[0] + rise * (cost - costs[0]) / width for cost in costs]
    above = [height - straight for height, straight in zip(heights, line, strict=True)]
    return members[above.index(max(above))]
