"""Families that a run adds to its first ones, as neighbours of those that have shown to be good."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from search.candidates.screening import Screen
from search.records import Status
from search.request.request import request_from_options
from search.sharing.choosing import KEPT, first_families, following_family
from search.sharing.planning import MOST_FAMILIES
from search.storage.shared_notes import families
from search.storage.study import Study
from space import TASKS
from space.weight_bank.families import Family
from tests.search_tests.conftest import Killed, settings
from tests.search_tests.sharing_workers import BUDGET, SharingWorkers, kinds, search

LONGER_S = 18_000.0  # carries one family more than the first ones


def screen_of(task: str, seed: int = 0, budget: str = "60k-params") -> Screen:
    request = request_from_options(task=task, budget=budget, input=(64, 36))
    return Screen(
        TASKS[task],
        replace(settings(budget=budget, seed=seed), **vars(replace(request.wanted, seed=seed))),
        request.budget,
    )


def turned(family: Family, parent: Family) -> set[str]:
    """The kinds that both have, and have different."""
    one, other = dict(family.held), dict(parent.held)
    return {key for key in one.keys() & other.keys() if one[key] != other[key]}


@pytest.fixture(scope="module")
def longer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, SharingWorkers]:
    """A run whose time carries one family more than the first ones."""
    return search(tmp_path_factory.mktemp("longer"), trials=200, time_s=LONGER_S)


@pytest.mark.parametrize("task", TASKS)
def test_a_further_family_differs_from_a_known_one_in_one_kind_of_part(task: str) -> None:
    screen = screen_of(task)
    known = list(first_families(screen, 3))
    for _ in range(3):
        shares = dict.fromkeys(range(len(known)), 1)
        family = following_family(screen, known, shares)
        assert family is not None
        assert family.held not in {each.held for each in known}
        assert (
            min(
                len(turned(family, each))
                for each in known
                if dict(each.held)["backbone"] == dict(family.held)["backbone"]
            )
            == 1
        )
        assert not any(turned(family, each) & set(KEPT) - {"backbone"} for each in known)
        assert screen.excess(family.largest(screen.space)) <= 0
        assert family == following_family(screen, known, shares)  # the seed and what is known decide
        known.append(family)
    assert len({each.name for each in known}) == len(known)


def test_it_is_more_often_a_neighbour_of_a_family_with_more_members_on_the_front() -> None:
    parents: Counter[int] = Counter()
    for seed in range(12):
        screen = screen_of("sr", seed)
        known = first_families(screen, 2)
        family = following_family(screen, known, {0: 1, 1: 20})
        near = [index for index, each in enumerate(known) if len(turned(family, each)) == 1]
        parents.update(near if len(near) == 1 else ())
    assert parents[1] > 2 * parents[0]


def test_there_is_none_where_nothing_else_fits(monkeypatch) -> None:
    screen = screen_of("sr")
    known = first_families(screen, 1)
    monkeypatch.setattr("search.sharing.choosing.largest_of", lambda *_: None)
    assert following_family(screen, known, {0: 1}) is None


def test_a_limit_of_time_is_planned_and_further_families_follow_the_first_ones(
    longer: tuple[Study, SharingWorkers],
) -> None:
    study, workers = longer
    jobs, rungs = kinds(workers.done), study.settings.rungs
    assert jobs[0] == "timing"
    assert len(rungs) == 2
    assert rungs[1] - rungs[0] == round(rungs[0] / 3)
    assert jobs.count("bank") == len(families(study))
    measured = {record.family for record in study.records.values() if record.at_rung(0) and not record.is_fixed}
    assert measured == set(range(len(families(study))))
    last = max(index for index, kind in enumerate(jobs) if kind == "bank")
    assert "measure" in jobs[:last]  # what the first ones were trained on comes first
    steps = {record.rungs[0].steps for record in study.records.values() if record.rungs}
    assert steps == {rungs[0]}  # every family and every network has had as many on the first rung


@pytest.mark.parametrize("later", [0, pytest.param(1, marks=pytest.mark.long)])  # jobs after the training has begun
def test_further_families_survive_a_kill(tmp_path: Path, longer: tuple[Study, SharingWorkers], later: int) -> None:
    jobs = kinds(longer[1].done)
    after = later + next(index for index in range(len(jobs)) if jobs[index] == "bank" and "measure" in jobs[:index])
    with pytest.raises(Killed):
        search(tmp_path, trials=200, time_s=LONGER_S, workers=SharingWorkers(die_after=after))
    study, _ = search(tmp_path, trials=200, time_s=LONGER_S)
    assert families(study) == families(longer[0])


def test_one_that_would_end_too_late_is_not_begun(tmp_path: Path, longer: tuple[Study, SharingWorkers]) -> None:
    first = len(first_families(screen_of("sr", budget=BUDGET), MOST_FAMILIES))
    assert len(families(longer[0])) == first + 1
    study, _ = search(tmp_path, trials=200, time_s=LONGER_S, workers=SharingWorkers(family_s=7_350.0))
    assert len(families(study)) == first


def test_a_run_without_a_limit_of_time_has_those_that_were_planned(tmp_path: Path) -> None:
    study, _ = search(tmp_path, trials=60)
    assert len(families(study)) == 2
    assert study.settings.budget == BUDGET
    assert {r.family for r in study.records.values() if r.status == Status.TRAINED and not r.is_fixed} == {0, 1}


def test_a_limit_of_trials_that_is_reached_ends_it(tmp_path: Path, longer: tuple[Study, SharingWorkers]) -> None:
    study, workers = search(tmp_path, trials=20, time_s=LONGER_S)
    assert kinds(workers.done).count("measure") == 20
    assert len(families(study)) < len(families(longer[0]))
