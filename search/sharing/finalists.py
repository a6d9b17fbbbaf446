"""Which candidate is trained on next: the one that adds most to the front of those before it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from search.pareto import losses_at_rung
from search.proposers.improvement import Front
from search.records import TrialRecord
from search.rungs import ranked

BEYOND = 1.1  # what is added counts up to 1.1 times the cost of the dearest candidate


def in_turn(
    waiting: Sequence[TrialRecord],
    taken: Sequence[TrialRecord],
    rung: int,
    objectives: Sequence[str],
    baseline_db: float,
) -> list[TrialRecord]:
    """First the best of all, if it waits; then ``waiting`` by what each adds to the front of ``taken`` at ``rung``,
    most first: the hypervolume in dB above the baseline times decades of every cost.

    Those that add nothing come last, as ``search.rungs.ranked``. A run that ends after any number of them has a front
    from its cheap to its dear end; by rank alone, the dear ones came first, each of which takes as long as five cheap
    ones.
    """
    if not waiting:
        return []
    place = list(objectives).index("psnr")
    losses = losses_at_rung([*waiting, *taken], rung, objectives)
    psnr_db, costs = -losses[:, place], np.log(np.delete(losses, place, axis=1))
    count = len(waiting)
    lowest = baseline_db if math.isfinite(baseline_db) else float(psnr_db.min())
    front = Front(costs[count:], psnr_db[count:], lowest)
    reference = costs.max(axis=0) + math.log(BEYOND)
    added = front.expected_improvement(costs[:count], psnr_db[:count], np.zeros(count), reference)
    best_db = psnr_db.max()
    keys = {each.trial: (psnr_db[index] < best_db, -added[index]) for index, each in enumerate(waiting)}
    return sorted(ranked(waiting, rung, objectives, baseline_db), key=lambda each: keys[each.trial])
