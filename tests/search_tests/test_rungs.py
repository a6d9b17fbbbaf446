"""Who climbs the ladder, how long it is, and which rung makes the front."""

import numpy as np
import pytest

from search.pareto import front, front_rung, non_dominated_ranks
from search.rungs import LADDER, default_ladder, fit_ladder, next_fixed, promotable, ranked
from tests.search_tests.made_records import result_of, trial


def test_ranks_of_a_small_example() -> None:
    losses = np.array([[1, 4], [2, 2], [4, 1], [2, 4], [4, 4], [1, 4]])
    assert non_dominated_ranks(losses).tolist() == [0, 0, 0, 1, 2, 0]


def test_ranks_refuse_nan() -> None:
    with pytest.raises(ValueError, match="NaN"):
        non_dominated_ranks(np.array([[1.0, np.nan]]))


def test_ranks_agree_with_the_definition_on_random_points() -> None:
    losses = np.random.default_rng(0).integers(0, 9, (60, 3))
    ranks = non_dominated_ranks(losses)

    def dominates(a: int, b: int) -> bool:
        return bool((losses[a] <= losses[b]).all() and (losses[a] < losses[b]).any())

    for b in range(60):
        above = [ranks[a] for a in range(60) if dominates(a, b)]
        assert ranks[b] == max(above, default=-1) + 1


def test_the_better_half_climbs_best_psnr_first() -> None:
    trials = [trial(0, 10, 30.0), trial(1, 5, 29.0), trial(2, 20, 29.5), trial(3, 9, 28.0)]
    climbing = promotable(trials, (100, 200), ("psnr", "macs"), frozenset())
    assert [record.trial for record in climbing] == [0, 1]


def test_a_trial_that_is_busy_or_gone_takes_its_place() -> None:
    trials = [trial(0, 10, 30.0, 30.5), trial(1, 5, 29.0), trial(2, 20, 29.5), trial(3, 9, 28.0)]
    assert promotable(trials, (100, 200), ("psnr", "macs"), frozenset({1})) == []
    assert [r.trial for r in promotable(trials, (100, 200), ("psnr", "macs"), frozenset())] == [1]


def test_fixed_trials_take_no_ones_place_and_climb_by_themselves() -> None:
    trials = [trial(0, 1, 40.0, source="s-lwsr16"), trial(1, 5, 29.0), trial(2, 20, 29.5)]
    assert [r.trial for r in promotable(trials, (100, 200), ("psnr", "macs"), frozenset())] == [2]
    assert next_fixed(trials, (100, 200), frozenset()).trial == 0
    assert next_fixed(trials, (100, 200), frozenset({0})) is None


def test_at_the_end_more_may_climb() -> None:
    trials = [trial(i, 10 + i, 29.0 + i) for i in range(4)]
    assert len(promotable(trials, (100, 200), ("psnr", "macs"), frozenset(), at_least=3)) == 3


def test_the_cheapest_has_no_privilege_within_a_front() -> None:
    trials = [trial(0, 1, 25.0), trial(1, 10, 29.0), trial(2, 20, 30.0), trial(3, 40, 30.1)]
    order = [record.trial for record in ranked(trials, 0, ("psnr", "macs"))]
    assert order[0] == 3
    assert order[-1] == 0


def test_the_ladder_fits_the_time() -> None:
    assert fit_ladder(1200, fixed_step_s=0.6, searched_step_s=0.05)[-1] == 800
    assert fit_ladder(1200, fixed_step_s=0.7, searched_step_s=0.15)[-1] == 400
    assert fit_ladder(1200, fixed_step_s=2.0, searched_step_s=0.05)[-1] == 200
    assert fit_ladder(12_000, fixed_step_s=0.7, searched_step_s=0.15)[-1] == 3_200
    assert fit_ladder(1200, fixed_step_s=6.0, searched_step_s=0.5) == (100,)
    assert fit_ladder(1, fixed_step_s=6.0, searched_step_s=0.5) == (100,)
    assert set(default_ladder()) < set(LADDER)


def test_the_front_is_of_the_highest_rung_that_eight_have_reached() -> None:
    low = [trial(i, 10 + i, 29.0, 29.5) for i in range(8)]
    high = [trial(i, 5 + i, 29.0, 29.5, 31.0) for i in range(8, 15)]
    assert front_rung(result_of(*low, *high)) == 1
    assert front_rung(result_of(*low, *high, trial(15, 3, 29, 29.5, 30))) == 2


def test_a_short_run_takes_the_rung_that_all_have_reached() -> None:
    run = result_of(trial(0, 10, 29.0, 29.5), trial(1, 5, 28.0))
    assert front_rung(run) == 0
    assert [member.trial for member in front(run)] == [1, 0]


def test_the_front_has_only_trials_of_its_rung_that_did_not_fail() -> None:
    run = result_of(trial(0, 10, 29.0), trial(1, 5, 30.0, status="failed"), trial(2, 3, 28.0, source="s-lwsr16"))
    assert [member.trial for member in front(run)] == [2, 0]


def test_what_is_below_the_baseline_is_not_on_the_front_and_climbs_last() -> None:
    cheap = trial(0, 1, 27.0)
    better = [trial(i, 10 * i, 28.0 + i) for i in (1, 2, 3)]
    run = result_of(cheap, *better)  # the baseline is 27.5 dB
    assert [member.trial for member in front(run)] == [1, 2, 3]
    assert front(result_of(cheap)) == ()
    order = ranked([cheap, *better, trial(4, 50, 28.5)], 0, ("psnr", "macs"), baseline_db=28.0)
    assert order[-1].trial == 0
