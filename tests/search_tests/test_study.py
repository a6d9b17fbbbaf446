"""A run in Optuna's storage: how trials are told, what is written of them, and notes about the whole."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from search.candidates.next_trial import next_trial
from search.records import RungResult, Status, TrialRecord
from search.request.budget import parse_budget
from search.storage.study import TOLD_AS, Study
from search.storage.trial_attributes import RECORD, RESULT, directions, metric_names, short_attributes
from space import TASKS
from tests.search_tests.conftest import settings

BUDGET = parse_budget("100m-params")  # that every proposal fits


def result(psnr_db: float, rung: int = 0) -> RungResult:
    return RungResult(rung, (100, 200, 400)[rung], psnr_db, 0.8, 1.0, 0.1, {"a": psnr_db}, 1)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study.create(tmp_path, settings(budget=BUDGET.text))


@pytest.fixture
def record(study: Study) -> TrialRecord:
    found = next_trial(study, TASKS["sr"], BUDGET)
    assert found is not None
    return found


def stored(study: Study, trial: int) -> optuna.trial.FrozenTrial:
    return next(each for each in study.trials() if each.number == trial)


def test_a_trial_is_told_its_first_rung_and_keeps_the_later_ones(study: Study, record: TrialRecord) -> None:
    study.add_result(record.trial, result(30.0))
    study.add_result(record.trial, result(31.0, rung=1))
    told = stored(study, record.trial)
    assert told.state == optuna.trial.TrialState.COMPLETE
    assert told.values == [30.0, float(record.costs.macs)]
    assert [each.psnr_db for each in study.records[record.trial].rungs] == [30.0, 31.0]


@pytest.mark.parametrize("status", sorted(TOLD_AS))
def test_a_trial_that_is_not_trained_is_closed(study: Study, record: TrialRecord, status: Status) -> None:
    study.reject(replace(record, status=status, reason="so"), BUDGET)
    assert stored(study, record.trial).state == TOLD_AS[status]
    assert study.records[record.trial].status == status


def test_a_failure_after_the_first_rung_keeps_its_results(study: Study, record: TrialRecord, tmp_path: Path) -> None:
    study.add_result(record.trial, result(30.0))
    study.fail(record.trial, "diverged")
    again = Study.open(tmp_path, owned=False)
    assert again is not None
    assert (again.records[record.trial].status, len(again.records[record.trial].rungs)) == (Status.FAILED, 1)


def test_a_record_is_written_whole_once_and_then_what_changes(study: Study, record: TrialRecord) -> None:
    study.add_result(record.trial, result(30.0))
    hidden = stored(study, record.trial).system_attrs
    assert set(hidden[RESULT]) == {"status", "reason", "rungs"}
    assert hidden[RECORD]["status"] == "running"
    assert type(hidden[RESULT]["status"]) is str


def test_short_attributes_are_what_a_person_looks_for(study: Study, record: TrialRecord) -> None:
    study.add_result(record.trial, result(30.0004))
    shown = stored(study, record.trial).user_attrs
    assert shown == short_attributes(study.records[record.trial])
    assert shown["psnr@100"] == 30.0
    assert set(shown) == {"source", "key", "params", "macs", "peak_activation_bytes", "weight_bytes", "psnr@100"}


def test_objectives_are_named_and_directed() -> None:
    assert directions(("psnr", "macs", "ms@x")) == ["maximize", "minimize", "minimize"]
    assert metric_names(("psnr", "macs")) == ["PSNR dB, first rung", "macs"]


def test_notes_and_a_longer_ladder_are_kept(study: Study, tmp_path: Path) -> None:
    study.note("baseline", {"psnr_db": 28.0})
    study.extend((100, 200, 400, 800))
    again = Study.open(tmp_path, owned=False)
    assert again is not None
    assert again.noted("baseline") == {"psnr_db": 28.0}
    assert again.noted("nothing", 7) == 7
    assert again.settings.rungs == (100, 200, 400, 800)
