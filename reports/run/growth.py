"""How the front of a run grew: its hypervolume after every result."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from evaluators.quantities import Quantity
from reports.run.hypervolume import Point, hypervolume
from search.records import RunResult, Status


def growth(run: RunResult, along: Quantity, reference: Point, searched_alone: bool = False) -> tuple[Point, ...]:
    """(seconds by the clock, dB times decades of cost), whenever a result enlarged the front; () of a run that did not
    write down when its results came in.

    A network counts with the best that was measured of it on any rung. The hypervolume is that above ``reference``,
    (cost in the unit of the axis, PSNR in dB).

    Args:
        searched_alone: without published networks.
    """
    front: list[Point] = []
    found: list[Point] = []
    for at_s, cost, psnr_db in _results(run, along, searched_alone):
        if not at_s:
            return ()
        if cost < reference[0] and psnr_db > reference[1] and _entered(front, cost, psnr_db):
            area = hypervolume(front, reference)
            if found and found[-1][0] == at_s:
                found.pop()
            found.append((at_s, area))
    return tuple(found)


def _results(run: RunResult, along: Quantity, searched_alone: bool) -> Iterator[tuple[float, float, float]]:
    """When each came in, the cost of its network, and its PSNR; in their order."""
    results = [
        (result.order, result.at_s, along.on_axis(trial.costs), result.psnr_db)
        for trial in run.trials
        if trial.status == Status.TRAINED and trial.costs.has(along.key) and not (searched_alone and trial.is_fixed)
        for result in trial.rungs
    ]
    for _, *result in sorted(results):
        yield (result[0], result[1], result[2])


def _entered(front: list[Point], cost: float, psnr_db: float) -> bool:
    """Whether the network is one of the front's, which it then joins; ``front`` is cheapest first, and better."""
    place = bisect_left(front, (cost, psnr_db))
    if place and front[place - 1][1] >= psnr_db:
        return False
    if place < len(front) and front[place][0] == cost:
        return False  # and no better
    last = place
    while last < len(front) and front[last][1] <= psnr_db:
        last += 1
    front[place:last] = [(cost, psnr_db)]
    if place and front[place - 1][0] == cost:
        del front[place - 1]
    return True
