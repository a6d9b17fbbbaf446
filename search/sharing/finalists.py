"""Which candidate is trained on next: the one that adds most to the front of those before it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from search.pareto import loss
from search.records import TrialRecord
from search.rungs import ranked

BEYOND = 1.1  # an area ends at so many times the cost of the dearest candidate


def in_turn(
    waiting: Sequence[TrialRecord],
    taken: Sequence[TrialRecord],
    rung: int,
    objectives: Sequence[str],
    baseline_db: float,
) -> list[TrialRecord]:
    """First the best of all, if it waits; then ``waiting`` by what each adds to the front of ``taken`` at ``rung``,
    most first: the area in dB above the baseline times decades of cost, added up over the costs.

    Those that add nothing come last, as ``search.rungs.ranked``. A run that ends after any number of them has a front
    from its cheap to its dear end; by rank alone, the dear ones came first, each of which takes as long as five cheap
    ones.
    """
    everyone = [*waiting, *taken]
    costs = [name for name in objectives if name != "psnr"]
    most = {name: BEYOND * max(each.cost(name) for each in everyone) for name in costs if everyone}
    lowest_db = (
        baseline_db if math.isfinite(baseline_db) else min((_psnr_db(each, rung) for each in everyone), default=0)
    )

    def area(trials: Sequence[TrialRecord]) -> float:
        return sum(
            _area([(each.cost(name), _psnr_db(each, rung)) for each in trials], most[name], lowest_db) for name in most
        )

    before = area(taken)
    added = {each.trial: area([*taken, each]) - before for each in waiting}
    best = max(everyone, key=lambda each: _psnr_db(each, rung), default=None)
    order = ranked(waiting, rung, objectives, baseline_db) if waiting else []
    return sorted(order, key=lambda each: (each is not best, -added[each.trial]))


def _psnr_db(trial: TrialRecord, rung: int) -> float:
    return -loss(trial, rung, "psnr")


def _area(points: Sequence[tuple[float, float]], most: float, baseline_db: float) -> float:
    """Of the front of (cost, PSNR) ``points`` up to the cost ``most``."""
    steps: list[tuple[float, float]] = []
    for cost, psnr_db in sorted(points):
        if psnr_db > (steps[-1][1] if steps else baseline_db) and cost > 0:
            steps.append((cost, psnr_db))
    ends = [*(cost for cost, _ in steps), most]
    return sum(
        (psnr_db - baseline_db) * math.log10(after / before)
        for (_, psnr_db), (before, after) in zip(steps, pairwise(ends), strict=True)
    )
