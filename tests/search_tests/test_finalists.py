"""The order in which candidates of a run with shared weights are trained on."""

import math
from dataclasses import replace

import numpy as np
import pytest

from search.sharing.finalists import BEYOND, in_turn
from tests.search_tests.made_records import trial

OBJECTIVES = ("psnr", "macs")


def order(waiting, taken=(), baseline_db: float = 28.0) -> list[int]:
    return [each.trial for each in in_turn(waiting, taken, 0, OBJECTIVES, baseline_db)]


def test_the_best_comes_first_then_what_adds_the_largest_area() -> None:
    waiting = [trial(0, 10, 28.4), trial(1, 100, 29.0), trial(2, 1000, 29.1)]
    most = BEYOND * 1000
    areas = [db * math.log10(most / macs) for db, macs in ((0.4, 10), (1.0, 100), (1.1, 1000))]
    assert [int(index) for index in np.argsort(areas)[::-1]] == [1, 0, 2]
    assert order(waiting) == [2, 1, 0]
    assert order(waiting[:2], [waiting[2]]) == [1, 0]  # the best is taken


def test_what_is_taken_makes_its_neighbours_wait() -> None:
    taken = [trial(9, 95, 29.0), trial(8, 600, 29.6)]
    assert order([trial(0, 10, 28.3), trial(1, 100, 29.01), trial(2, 250, 29.5)], taken) == [0, 2, 1]
    assert order([trial(0, 100, 28.9), trial(1, 120, 28.95)], taken) == [1, 0]  # nothing is added: by rank


def test_those_below_the_baseline_come_last() -> None:
    assert order([trial(0, 1, 27.0), trial(1, 500, 28.01)]) == [1, 0]


@pytest.mark.parametrize("seed", range(5))
def test_a_few_of_many_are_most_of_the_front(seed: int) -> None:
    generator = np.random.default_rng(seed)
    macs = np.sort(generator.integers(10, 10_000, 60))
    gains = np.log10(macs) / 4 + generator.uniform(-0.1, 0.1, 60)
    waiting = [trial(index, int(cost), 28 + gain) for index, (cost, gain) in enumerate(zip(macs, gains, strict=True))]
    taken: list = []
    while len(taken) < 8:
        taken.append(in_turn([each for each in waiting if each not in taken], taken, 0, OBJECTIVES, 28.0)[0])

    def area(chosen: list) -> float:
        points = sorted((each.costs.macs, each.rungs[0].psnr_db) for each in chosen)
        front = [
            point for index, point in enumerate(points) if point[1] > max([28.0, *(db for _, db in points[:index])])
        ]
        ends = [*(cost for cost, _ in front), BEYOND * macs[-1]]
        return sum((db - 28) * math.log10(after / cost) for (cost, db), after in zip(front, ends[1:], strict=True))

    assert area(taken) > 0.9 * area(waiting)
    assert area(taken) > area([waiting[index] for index in generator.permutation(60)[:8]])


def test_each_of_several_costs_counts() -> None:
    both = ("psnr", "macs", "params")
    waiting = [trial(0, 100, 28.5), trial(1, 110, 28.6), trial(2, 300, 29.0)]
    slim = [
        replace(each, costs=replace(each.costs, params=size))
        for each, size in zip(waiting, (500, 10, 600), strict=True)
    ]
    assert [each.trial for each in in_turn(slim, [], 0, both, 28.0)] == [2, 1, 0]  # as good and far slimmer
    assert [each.trial for each in in_turn(slim[:1], slim[1:], 0, both, 28.0)] == [0]


def test_without_a_baseline_the_lowest_stands_for_it() -> None:
    assert order([trial(0, 10, 28.5), trial(1, 100, 29.5)], baseline_db=-math.inf) == [1, 0]
    assert in_turn([], [], 0, OBJECTIVES, -math.inf) == []
