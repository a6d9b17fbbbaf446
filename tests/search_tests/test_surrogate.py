"""The surrogate's proposals: within the budget, better than luck, and undisturbed by what else a study holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import search.proposers.surrogate
from search.candidates.next_trial import next_trial
from search.candidates.screening import Screen
from search.proposers.designs import Designs, crossed, mutated
from search.proposers.gaussian_process import GaussianProcess, Hyperparameters
from search.proposers.surrogate import OUTSIDE, PREDICTED, STARTUP_RESULTS, SurrogateSearch, last_mark
from search.proposers.training_time import TrainingTime
from search.records import RungResult, TrialRecord
from search.request.budget import Budget, parse_budget
from search.storage.note_names import IS_TIMED
from search.storage.run_files import result_of
from search.storage.study import Study
from space import TASKS, ZOO
from tests.search_tests.conftest import formula_psnr_db, settings

SR = TASKS["sr"]


@pytest.fixture(autouse=True)
def _fewer_designs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search.proposers.surrogate, "MOST", 60)
    monkeypatch.setattr(search.proposers.surrogate, "CLIMBS", 1)


def started(folder: Path, sampler: str = "surrogate", budget: str = "60k-params", **changes) -> tuple[Study, Budget]:
    folder.mkdir(exist_ok=True)
    study = Study.create(folder, settings(budget=budget, sampler=sampler, **changes))
    study.note("starts_queued", True)
    return study, parse_budget(budget)


def proposed(study: Study, budget: Budget) -> TrialRecord:
    record = next_trial(study, SR, budget)
    assert record is not None
    return record


def told(study: Study, record: TrialRecord, psnr_db: float) -> None:
    study.add_result(record.trial, RungResult(0, 100, psnr_db, 0.8, 1.0, 0.1, order=1))


def searched(study: Study, budget: Budget, trials: int) -> list[TrialRecord]:
    records = []
    for _ in range(trials):
        records.append(proposed(study, budget))
        told(study, records[-1], formula_psnr_db(records[-1].architecture, 100))
    return records


def area(records: list[TrialRecord]) -> float:
    """Hypervolume above 28 dB, up to 1 G MACs, in dB times decades."""
    grid = np.linspace(6, 9, 301)
    macs = np.log10([record.costs.macs for record in records])
    quality = np.array([formula_psnr_db(record.architecture, 100) for record in records])
    return float(np.mean([quality[macs <= at].max(initial=28.0) - 28 for at in grid]) * 3)


def test_a_few_proposals_are_better_than_more_random_ones(tmp_path: Path) -> None:
    own = searched(*started(tmp_path / "own"), 16)
    luck = searched(*started(tmp_path / "luck", "random"), 24)
    assert area(own) > area(luck)


def test_all_fit_the_budget_and_none_is_a_duplicate(tmp_path: Path) -> None:
    study, budget = started(tmp_path, budget="30k-params,300m-macs")
    searched(study, budget, 11)
    assert {record.status for record in study.records.values()} == {"trained"}
    assert len({record.architecture.key for record in study.records.values()}) == 11


def test_trials_that_run_count_as_if_they_had_become_what_is_expected(tmp_path: Path) -> None:
    study, budget = started(tmp_path)
    searched(study, budget, 10)
    running = [proposed(study, budget) for _ in range(3)]
    assert len({record.architecture.key for record in running}) == 3
    for record in running:
        study.fail(record.trial, "the loss is not finite at step 7")
    assert proposed(study, budget).architecture.key not in {record.architecture.key for record in running}


def test_several_costs_are_objectives(tmp_path: Path) -> None:
    study, budget = started(tmp_path, objectives=("psnr", "memory", "params"))
    assert len(searched(study, budget, 10)) == 10


def test_a_training_that_went_wrong_counts_as_no_worse_than_it_can_matter(tmp_path: Path) -> None:
    study, budget = started(tmp_path)
    study.note("baseline", {"psnr_db": 28.0})
    for psnr_db in (28.5, 5.0, 29.0):
        told(study, proposed(study, budget), psnr_db)
    surrogate = SurrogateSearch(study._study, Screen(SR, study.settings, budget))
    learnt = surrogate._results.seen(study._study).told
    quality, lowest_db = surrogate._quality_db(learnt)
    assert quality.tolist() == [28.5, 27.0, 29.0]
    assert lowest_db == 28.0
    assert surrogate._quality_db(learnt[1:2])[1] == 5.0


def test_what_is_costly_is_renewed_as_the_results_grow(tmp_path: Path) -> None:
    assert [last_mark(count) for count in range(8, 14)] == [8, 8, 10, 10, 12, 12]
    marks = {last_mark(count) for count in range(8, 3000)}
    assert len(marks) < 120


def test_with_thousands_of_results_the_best_and_some_of_all_are_learnt_from(tmp_path: Path) -> None:
    study, budget = started(tmp_path)
    searched(study, budget, 12)
    surrogate = SurrogateSearch(study._study, Screen(SR, study.settings, budget))
    everything = surrogate._results.seen(study._study).told
    some = surrogate._selected(everything, 6)
    front = {each.trial for each, rank in zip(everything, surrogate._ranks(everything), strict=True) if rank == 0}
    assert len(some) == len({each.trial for each in some}) == 6
    assert len(front & {each.trial for each in some}) >= min(3, len(front))
    assert surrogate._selected(everything, 12) == list(everything)


@pytest.mark.parametrize("task", TASKS)
def test_offspring_are_points_of_the_space(task: str) -> None:
    run = settings()
    screen = Screen(TASKS[task], run, parse_budget("1m-params"))
    space, generator = screen.space, np.random.default_rng(0)
    for _ in range(30):
        one, other = space.random(generator), space.random(generator)
        child, near = crossed(space, one, other, generator), mutated(space, one, generator)
        for values in (child, near):
            space.decode(values)
        assert child["backbone"] == one["backbone"]
        assert near != one


def test_turning_a_knob_twice_does_not_give_the_same_point_back() -> None:
    space, generator = Screen(SR, settings(), parse_budget("1m-params")).space, np.random.default_rng(0)
    one = space.random(generator)
    assert all(mutated(space, one, generator) != one for _ in range(2000))


def test_a_published_network_off_the_grid_has_offspring_on_it() -> None:
    screen = Screen(SR, settings(), parse_budget("1m-params"))
    published = {**ZOO["s-lwsr16"].knobs, "input_skip": "bicubic"}
    found = Designs(screen).offspring([published, {**published, "width": 17}], 20, (), np.random.default_rng(0))
    assert len(found) > 10


def test_under_a_budget_that_hardly_any_network_fits_designs_are_repaired() -> None:
    screen = Screen(SR, settings(), parse_budget("2500-params"))
    found = Designs(screen).drawn(40)
    assert len(found) >= 2
    assert all(screen.budget.allows(design.costs) for design in found)


def test_more_draws_leave_the_first_as_they_were() -> None:
    screen = Screen(SR, settings(), parse_budget("60k-params"))
    once, twice = Designs(screen), Designs(screen)
    few = twice.drawn(10)
    assert few == once.drawn(20)[: len(few)]
    assert few == once.drawn(10)


def test_the_run_knows_how_many_proposals_were_far_from_what_was_learnt(tmp_path: Path, monkeypatch) -> None:
    study, budget = started(tmp_path)
    searched(study, budget, STARTUP_RESULTS + 3)
    predicted, outside = study.stored(PREDICTED)
    assert predicted == 3
    assert 0 <= outside <= 3
    monkeypatch.setattr(search.proposers.surrogate, "OUTSIDE", -1.0)  # everything is
    searched(study, budget, 1)
    assert study.stored(PREDICTED) == [predicted + 1, outside + 1]
    assert result_of(study, tmp_path).predicted == (predicted + 1, outside + 1)


def test_far_from_all_results_a_gaussian_process_says_that_it_knows_nothing() -> None:
    generator = np.random.default_rng(0)
    rows = generator.random((30, 3))
    model = GaussianProcess(rows, np.arange(3), np.sin(3 * rows).sum(axis=1))
    near, between, far = model.unknown(rows).max(), model.unknown(generator.random((20, 3))).max(), rows + 1e3
    assert near < between < 1
    logs = np.array([0, 0, 0, -30, 0, -4.0])  # hardly any linear part, which would go on for ever
    flat = GaussianProcess(rows, np.arange(3), np.sin(3 * rows).sum(axis=1), Hyperparameters(logs))
    assert flat.unknown(far).min() > OUTSIDE > flat.unknown(rows).max()


def test_where_time_is_limited_a_dear_network_must_promise_more(tmp_path: Path) -> None:
    """Trainings take a second for each 10 M MACs; the same study proposes cheaper networks once that counts."""
    proposals = {}
    for is_timed in (False, True):
        study, budget = started(tmp_path / str(is_timed), budget="200k-params")
        study.note(IS_TIMED, is_timed)
        for _ in range(16):
            record = proposed(study, budget)
            train_s = record.costs.macs / 10_000_000
            quality = formula_psnr_db(record.architecture, 100)
            study.add_result(record.trial, RungResult(0, 100, quality, 0.8, train_s, 0.1, order=1))
        trained = [record.costs.macs for record in study.records.values()][STARTUP_RESULTS:]
        proposals[is_timed] = float(np.exp(np.mean(np.log(trained))))
    assert proposals[True] < 0.7 * proposals[False]


def test_the_time_of_a_training_has_a_fixed_part_and_one_by_the_work() -> None:
    found = TrainingTime.fitted([10, 100, 1000, 50], [2.1, 3.0, 12.0, 0.0])  # 2 s and 0.01 s a MAC; one not trained
    assert found is not None
    np.testing.assert_allclose(found.of([0, 500]), [2.0, 7.0])
    assert TrainingTime.fitted([10, 100], [0.0, 3.0]) is None


def test_the_time_of_a_training_is_never_negative() -> None:
    found = TrainingTime.fitted([10, 100, 1000], [4.0, 3.0, 2.0])
    assert found is not None
    assert found.s_per_mac == 0
    assert found.of([10**9])[0] > 0
