"""A run that goes on with twice the time: a new generation of shared weights, compared with nothing from before."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import TrialState

from search.candidates.screening import Screen
from search.pareto import losses_at_rung, non_dominated_ranks
from search.records import Status, TrialRecord
from search.sharing import session as sharing_session
from search.sharing.planning import Plan, generation_after
from search.storage import study as study_module
from search.storage.shared_notes import Beginning, beginnings, families, shared_weights
from search.storage.study import Study
from search.workers.bank_jobs import BankJob
from search.workers.jobs import RungJob
from tests.search_tests.conftest import Killed
from tests.search_tests.sharing_workers import SharingWorkers, kinds, search

PLANNED_S, TWICE_S = 1_200.0, 2_400.0
TRIALS, ALL = 20, 100  # the second measures all that is queued, and more


def searched(folder: Path, time_s: float, workers: SharingWorkers | None = None, **more: Any) -> Study:
    return search(folder, time_s=time_s, workers=workers, **{"trials": TRIALS, **more})[0]


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small run as it was planned, to be copied."""
    folder = tmp_path_factory.mktemp("planned")
    searched(folder, PLANNED_S)
    return folder


@pytest.fixture
def folder(planned: Path, tmp_path: Path) -> Path:
    return shutil.copytree(planned, tmp_path / "run")


def opened(folder: Path) -> Study:
    study = Study.open(folder, owned=True)
    assert study is not None
    return study


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Study, SharingWorkers]:
    """A run as it was planned, the same after twice the time, and what the second session did."""
    folder = tmp_path_factory.mktemp("twice")
    first = searched(folder, PLANNED_S, trials=ALL)
    workers = SharingWorkers()
    return first, searched(folder, TWICE_S, workers, trials=ALL), workers


def journal(study: Study) -> list[tuple[str, str, int | None, list[tuple[int, int]]]]:
    return [
        (record.architecture.key, record.status, record.family, [(each.rung, each.steps) for each in record.rungs])
        for record in study.records.values()
    ]


def front(study: Study, rung: int) -> list[TrialRecord]:
    there = [each for each in study.records.values() if each.family is not None and each.at_rung(rung)]
    ranks = non_dominated_ranks(losses_at_rung(there, rung, study.settings.objectives))
    return [each for each, rank in zip(there, ranks, strict=True) if rank == 0]


def test_weights_of_the_same_families_are_trained_on_to_twice_the_steps(
    twice: tuple[Study, Study, SharingWorkers],
) -> None:
    first, second, workers = twice
    shared, tuned = first.settings.rungs
    assert second.settings.rungs == (shared, tuned, 2 * shared, 2 * tuned)
    assert families(second) == families(first)
    banks = [job for job in workers.done if isinstance(job, BankJob)]
    assert banks
    for job in banks:
        assert job.steps == 2 * shared
        assert job.checkpoint == f"checkpoints/family-{job.family}.safetensors"  # on which the first training ended
        assert job.bank == f"shared/family-{job.family}-rung-2.safetensors"
    assert "timing" not in kinds(workers.done)
    told = [each.steps for each in shared_weights(second)]
    assert told == [shared] * len(families(first)) + [2 * shared] * len(banks)


def test_results_of_two_generations_are_on_rungs_of_their_own(twice: tuple[Study, Study, SharingWorkers]) -> None:
    first, second, workers = twice
    before = {number: record for number, record in first.records.items() if record.family is not None}
    assert before
    for number, record in before.items():
        assert second.records[number].rungs == record.rungs  # nothing is added to what inherited less
    later = [each for number, each in second.records.items() if number not in first.records and each.rungs]
    assert {each.first_rung for each in later if each.family is not None} == {2}
    assert (2, 3) in {tuple(result.rung for result in each.rungs) for each in later} <= {(2,), (2, 3)}
    for job in workers.done:
        if isinstance(job, RungJob) and second.records[job.number].family is not None:
            assert job.rung >= 2
            assert job.begun_at == job.shared_steps == second.settings.rungs[2]
            start = f"shared/family-{second.records[job.number].family}-rung-2.safetensors"
            assert job.start == (start if job.inherits else f"checkpoints/trial-{job.number}-rung-2.safetensors")
            assert job.inherits == (job.rung == 2)


def test_published_networks_are_on_the_rungs_of_both(tmp_path: Path) -> None:
    searched(tmp_path, PLANNED_S, budget="200k-params", trials=4)
    second = searched(tmp_path, TWICE_S, budget="200k-params", trials=4)
    alone = [each for each in second.records.values() if each.is_fixed and each.family is None]
    assert {tuple(result.rung for result in each.rungs) for each in alone} == {(0, 1, 2, 3)}
    inherits = [each for each in second.records.values() if each.is_fixed and each.family is not None]
    by_source: dict[str, list[tuple[int, ...]]] = {}
    for each in inherits:
        by_source.setdefault(each.source, []).append(tuple(result.rung for result in each.rungs))
    assert "s-lwsr16+skip" in by_source
    assert all(rungs == [(0, 1), (2, 3)] for rungs in by_source.values())


def test_it_begins_with_the_last_front(twice: tuple[Study, Study, SharingWorkers]) -> None:
    first, second, _ = twice
    measured = [each for number, each in second.records.items() if number not in first.records and each.rungs]
    begun = {each.architecture.key for each in measured}
    trained_on = {job.family for job in twice[2].done if isinstance(job, BankJob)}
    seeds = {each.architecture.key for rung in (0, 1) for each in front(first, rung) if each.family in trained_on}
    assert seeds
    assert seeds <= begun
    proposed = [each.architecture.key not in seeds for each in measured if not each.is_fixed]
    assert proposed == sorted(proposed)  # the seeds come first
    assert any(proposed)


def test_more_time_than_that_is_one_generation_of_more_steps() -> None:
    plan = Plan(3, (300, 400))
    times = (300, 600, 1_190, 1_200, 2_399, 2_400, 4_900)
    assert [generation_after(plan, 600, time_s)[0] for time_s in times] == [300, 300, 300, 600, 600, 1_200, 2_400]
    assert generation_after(plan, 600, 2_400) == (1_200, 1_600)


def test_less_than_twice_the_time_goes_on_with_what_there_is(folder: Path) -> None:
    first, workers = opened(folder), SharingWorkers()
    second = searched(folder, 1.9 * PLANNED_S, workers, trials=TRIALS + 4)
    assert second.settings.rungs == first.settings.rungs
    assert "bank" not in kinds(workers.done)
    assert kinds(workers.done).count("measure") == 4
    assert beginnings(second) == (Beginning(),)


def test_a_family_that_brought_nothing_is_not_trained_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = opened(folder)
    assert len(families(first)) > 1
    members = {each.family for rung in (0, 1) for each in front(first, rung)}
    assert 1 in members
    only = [each for each in first.records.values() if each.family == 1]
    workers = SharingWorkers()
    monkeypatch.setattr(sharing_session.Generation, "_front", lambda *_: only)
    second = searched(folder, TWICE_S, workers)
    assert {job.family for job in workers.done if isinstance(job, BankJob)} == {1}
    assert {each.family for each in second.records.values() if each.first_rung == 2 and each.rungs} == {1}


@pytest.mark.parametrize(("needed_s", "trained"), [(1_200.0, True), (2_000.0, False)])
def test_a_family_is_trained_on_if_it_fits_the_time(needed_s: float, trained: bool, tmp_path: Path) -> None:
    """Of 2,400 s, 1,800 are not kept: only the first generation's families have a share of their own."""
    first = searched(tmp_path, PLANNED_S, SharingWorkers(), trials=8)
    second = searched(tmp_path, TWICE_S, SharingWorkers(needed_s={0: needed_s}), trials=8)
    found = shared_weights(second)[len(families(first)) :]
    too_long = "its training would take 33 min 20 s, more time than is left for it"
    assert found[0].failed == ("" if trained else too_long)


class Seeing:
    """A proposer that notes what the study shows it."""

    def __init__(self, seen: list[list[optuna.trial.FrozenTrial]]) -> None:
        self._seen = seen

    def sampler(self, study: optuna.Study, screen: Screen, seed: int) -> BaseSampler:
        self._seen.append(study.get_trials(deepcopy=False))
        return RandomSampler(seed=seed % 2**32)


def test_samplers_see_what_was_measured_since(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[optuna.trial.FrozenTrial]] = []
    monkeypatch.setattr(study_module, "proposer", lambda name: Seeing(seen))
    study = searched(folder, TWICE_S)
    assert seen
    told = {trial.number for trials in seen for trial in trials if trial.state == TrialState.COMPLETE}
    assert told
    assert all(study.records[number].first_rung == 2 for number in told)
    assert [trial.number for trial in seen[-1]] == sorted({trial.number for trial in seen[-1]})
    before = [each for each in study.records.values() if each.first_rung == 0]
    too_large = {each.trial for each in before if each.status == Status.OVER_BUDGET}
    assert too_large <= {trial.number for trial in seen[-1]}  # which it is in every generation
    assert not {each.trial for each in before if each.rungs} & {trial.number for trial in seen[-1]}


@pytest.fixture(scope="module")
def whole(planned: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    return searched(shutil.copytree(planned, tmp_path_factory.mktemp("whole") / "run"), TWICE_S)


@pytest.mark.parametrize(
    "after", [1, 9, pytest.param(0, marks=pytest.mark.long), pytest.param(25, marks=pytest.mark.long)]
)
def test_it_survives_a_kill(after: int, folder: Path, whole: Study) -> None:
    with pytest.raises(Killed):
        searched(folder, TWICE_S, SharingWorkers(die_after=after))
    assert sorted(journal(searched(folder, TWICE_S)), key=str) == sorted(journal(whole), key=str)


def test_a_kill_at_its_beginning_leaves_its_rungs_to_the_next_session(
    folder: Path, whole: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = opened(folder)
    with monkeypatch.context() as patched:
        patched.setattr(Study, "extend", lambda *_: (_ for _ in ()).throw(Killed))
        with pytest.raises(Killed):
            searched(folder, TWICE_S)
    killed = opened(folder)
    assert beginnings(killed)[-1].rung == len(killed.settings.rungs) == 2
    assert [each.steps for each in shared_weights(killed)] == [first.settings.rungs[0]] * len(families(first))
    second = searched(folder, TWICE_S)
    assert second.settings.rungs == (*first.settings.rungs, *(2 * steps for steps in first.settings.rungs))
    assert sorted(journal(second), key=str) == sorted(journal(whole), key=str)


def test_a_session_that_ended_early_is_trained_on_at_once(tmp_path: Path) -> None:
    """Twice the time before any family is trained: all wait for the longer training, and none is measured twice."""
    with pytest.raises(Killed):
        searched(tmp_path, PLANNED_S, SharingWorkers(die_after=1), trials=8)  # after the steps were timed
    workers = SharingWorkers()
    study = searched(tmp_path, TWICE_S, workers, trials=8)
    banks = [job for job in workers.done if isinstance(job, BankJob)]
    assert [job.family for job in banks] == list(range(len(families(study))))
    assert {job.steps for job in banks} == {study.settings.rungs[2]}
    found = [each for each in study.records.values() if each.status == Status.TRAINED and each.family is not None]
    assert {each.first_rung for each in found} == {2}
