"""How a front grew: areas that can be counted by hand, and pictures of one run and of several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from evaluators.costs import Costs
from evaluators.quantities import quantity
from reports.run.compare_page import compared_html
from reports.run.comparing import compare_fronts
from reports.run.growth import growth
from reports.run.growth_plot import growth_svg
from reports.run.html import report_html
from reports.run.hypervolume import hypervolume
from search.pareto import non_dominated_ranks
from search.records import RungResult, RunResult, TrialRecord
from space import ZOO

PARAMS = quantity("params")


def result(order: int, at_s: float, psnr_db: float, rung: int = 0) -> RungResult:
    return RungResult(rung, 100 * 2**rung, psnr_db, 0.8, 1.0, 0.1, order=order, at_s=at_s)


def trial(number: int, params: int, *results: RungResult, source: str = "search") -> TrialRecord:
    costs = Costs(params, 10 * params, 1, 1)
    return TrialRecord(number, source, "trained", ZOO["s-lwsr16"].architecture, {}, costs, results)


@pytest.fixture
def run(make_run: Callable[..., RunResult]) -> RunResult:
    trials = (
        trial(0, 100_000, result(2, 20.0, 22.0), result(5, 60.0, 23.0, rung=1), source="s-lwsr16"),
        trial(1, 10_000, result(1, 10.0, 21.0)),
        trial(2, 20_000, result(3, 30.0, 20.5)),  # dominated
        trial(3, 10_000, result(4, 40.0, 22.0)),
    )
    return replace(make_run(), trials=trials, elapsed_s=70.0, baseline_psnr_db=20.0)


def with_times(run: RunResult, shift_s: float = 0.0) -> RunResult:
    """A made-up run whose results came in one after the other, ten seconds each."""
    order, trials = 0, []
    for each in run.trials:
        results = []
        for rung in each.rungs:
            order += 1
            results.append(replace(rung, order=order, at_s=10.0 * order + shift_s))
        trials.append(replace(each, rungs=tuple(results)))
    return replace(run, trials=tuple(trials), elapsed_s=10.0 * order + 20)


def test_every_result_that_enlarges_the_front_is_a_point(run: RunResult) -> None:
    axis = PARAMS.per_axis_unit
    reference = 1_000_000 / axis, 20.0
    points = growth(run, PARAMS, reference)
    assert [at_s for at_s, _ in points] == [10, 20, 40, 60]
    assert [area for _, area in points] == pytest.approx([2, 1 + 2, 4, 2 + 3])
    searched = growth(run, PARAMS, reference, searched_alone=True)
    assert searched == (points[0], (40.0, pytest.approx(4)))


def test_results_that_came_in_at_once_are_one_point(run: RunResult) -> None:
    trials = tuple(replace(each, rungs=tuple(replace(rung, at_s=10.0) for rung in each.rungs)) for each in run.trials)
    ((at_s, area),) = growth(replace(run, trials=trials), PARAMS, (1_000_000 / PARAMS.per_axis_unit, 20.0))
    assert (at_s, area) == (10, pytest.approx(5))


def test_what_costs_too_much_or_is_no_better_than_the_baseline_does_not_count(run: RunResult) -> None:
    assert growth(run, PARAMS, (10_000 / PARAMS.per_axis_unit, 20.0)) == ()
    assert growth(run, PARAMS, (1_000_000 / PARAMS.per_axis_unit, 25.0)) == ()


def test_a_run_that_did_not_write_down_when_results_came_in_has_no_growth(run: RunResult) -> None:
    stored = run.trials[0].rungs[0].to_dict()
    del stored["at_s"]  # as older records
    older = trial(0, 100_000, RungResult.from_dict(stored))
    assert growth(replace(run, trials=(older,)), PARAMS, (1e9, 20.0)) == ()


def test_the_last_point_is_the_hypervolume_of_everything(make_run: Callable[..., RunResult]) -> None:
    """Of 120 results in random order, some of them ties, against the front computed at once."""
    run, generator = make_run(), np.random.default_rng(0)
    costs, heights = generator.integers(1, 30, 120) * 1000, generator.integers(1, 40, 120) / 10
    trials = tuple(
        trial(number, int(cost), result(1 + number, 1.0 + number, 20 + height))
        for number, (cost, height) in enumerate(zip(costs, heights, strict=True))
    )
    reference = 40_000 / PARAMS.per_axis_unit, 20.0
    points = growth(replace(run, trials=trials, baseline_psnr_db=20.0), PARAMS, reference)
    losses = np.column_stack([-heights, costs]).astype(float)
    front = sorted(
        {(costs[i] / PARAMS.per_axis_unit, 20 + heights[i]) for i in np.flatnonzero(non_dominated_ranks(losses) == 0)}
    )
    assert points[-1][1] == pytest.approx(hypervolume(front, reference))
    areas = [area for _, area in points]
    assert areas == sorted(areas)


def test_the_page_shows_it_where_it_is_known(make_run: Callable[..., RunResult]) -> None:
    run = make_run()
    assert "How the front grew" not in report_html(run)
    page = report_html(with_times(run))
    assert "How the front grew" in page
    assert "without published networks" in page
    assert "minutes of the run" in page
    assert growth_svg(replace(run, trials=())) == ""


def test_runs_that_differ_in_their_seed_alone_are_a_band(make_run: Callable[..., RunResult]) -> None:
    runs = {f"run-{seed}": replace(with_times(make_run(seed=seed)), name=f"run-{seed}") for seed in range(3)}
    other = runs["run-2"]
    runs["run-2"] = replace(other, settings=replace(other.settings, sampler="random"))
    page = compared_html(compare_fronts(runs))
    assert "2 seeds: tpe" in page
    assert "run-2: random" in page
    assert "How the fronts grew" in page
    without = {name: replace(make_run(seed=seed), name=name) for seed, name in enumerate(("a", "b"))}
    assert "How the fronts grew" not in compared_html(compare_fronts(without))
