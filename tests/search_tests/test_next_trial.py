"""From proposals to trials: what is queued first, what is turned away and why, and when nothing is left."""

from __future__ import annotations

from pathlib import Path

import pytest

import search.candidates.next_trial
from search.candidates.fixed_trials import SKIP_SUFFIX, base_name, fixed_trials
from search.candidates.initial_trials import enqueue_initial
from search.candidates.next_trial import next_trial
from search.records import RungResult, TrialRecord
from search.request.budget import Budget, parse_budget
from search.storage.study import Study
from space import PAPERS, TASKS, SearchSpace
from tests.search_tests.conftest import settings

SR = TASKS["sr"]


def started(folder: Path, budget: str, sampler: str = "random", seed: int = 0) -> tuple[Study, Budget]:
    """A run without initial points."""
    study, limits = Study.create(folder, settings(budget=budget, sampler=sampler, seed=seed)), parse_budget(budget)
    study.note("starts_queued", True)
    return study, limits


def trained(study: Study, record: TrialRecord | None) -> TrialRecord:
    assert record is not None
    study.add_result(record.trial, RungResult(0, 100, 28.0, 0.8, 1.0, 0.1, order=1))
    return record


def test_fixed_trials_come_first_and_once_narrow_ones_before_wide_ones(tmp_path: Path) -> None:
    study, budget = started(tmp_path, "600k-params")
    for _ in range(2):
        enqueue_initial(study, SR, budget)
    expected = list(fixed_trials(SR, study.settings, budget))
    proposed = [trained(study, next_trial(study, SR, budget)) for _ in expected]
    assert sorted(record.source for record in proposed) == sorted(record.source for record in expected)
    widths = [record.architecture.settings.width for record in proposed if "backbone" in record.knobs]
    assert widths == sorted(widths)
    assert not trained(study, next_trial(study, SR, budget)).is_fixed


def test_a_form_of_a_published_network_is_known_by_its_base_name() -> None:
    for record in fixed_trials(SR, settings(), parse_budget("600k-params")):
        assert base_name(record.source) in PAPERS
        assert record.source in (base_name(record.source), base_name(record.source) + SKIP_SUFFIX)


def test_a_fixed_trial_that_a_kill_caught_is_written_down_once_more(tmp_path: Path) -> None:
    study, budget = started(tmp_path, "200k-params")
    enqueue_initial(study, SR, budget)
    record = next_trial(study, SR, budget)
    again = Study.open(tmp_path, owned=True)
    enqueue_initial(again, SR, budget)
    assert again.records == {record.trial: record}
    space = SearchSpace(SR, study.settings.shape)
    assert again.trials()[record.trial].params == space.parameters_of(record.knobs)


def test_over_the_budget_is_told_and_a_network_that_fits_is_next(tmp_path: Path) -> None:
    study, budget = started(tmp_path, "20k-params")
    record = trained(study, next_trial(study, SR, budget))
    rejected = study.records[0]
    assert rejected.status == "over-budget"
    assert rejected.reason == f"{rejected.costs.params:,} params > 20k-params"
    assert record.trial == 1
    assert record.knobs["backbone"] == rejected.knobs["backbone"]
    assert budget.allows(record.costs)


def test_the_same_network_is_not_trained_twice(tmp_path: Path) -> None:
    study, budget = started(tmp_path, "200k-params")
    first = trained(study, next_trial(study, SR, budget))
    space = SearchSpace(SR, study.settings.shape)
    number = len(study.trials())
    study._study.enqueue_trial(space.parameters_of(first.knobs))  # as a sampler may propose it again
    second = trained(study, next_trial(study, SR, budget))
    same = study.records[number]
    assert (same.status, same.reason) == ("duplicate", f"the same network as trial {first.trial}")
    assert second.architecture.key != first.architecture.key


def test_a_space_where_all_is_known_or_too_large_is_exhausted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search.candidates.next_trial, "ATTEMPTS", 12)
    monkeypatch.setattr(search.candidates.next_trial, "REPAIRS_IN_VAIN", 0)
    study, budget = started(tmp_path, "2.05k-params")
    assert next_trial(study, SR, budget) is None
    assert [record.status for record in study.records.values()] == ["over-budget"] * 12
