"""A search with shared weights: its plan, what is trained, measured and told in which order, and what a kill leaves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
import torch

from search.candidates.screening import Screen
from search.proposers import PROPOSERS
from search.records import ALONE, SHARED, Status
from search.request.request import request_from_options
from search.sessions.session import Session, check_and_read
from search.sharing.choosing import first_families
from search.sharing.designs import designs_of
from search.sharing.planning import MOST_FAMILIES
from search.storage.artifacts import LocalArtifacts
from search.storage.study import Study
from search.workers.jobs import RungJob
from space import TASKS
from space.errors import UserError
from space.weight_bank import WeightBank
from tests.search_tests.conftest import Killed, settings
from tests.search_tests.sharing_workers import BUDGET, SharingWorkers, kinds, search

# Half a second a proposal, or a thousand draws for each where hardly one is new.
SLOW = dict.fromkeys(("gp", "nni-random", "nni-evolution"), pytest.mark.long)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, SharingWorkers]:
    return search(tmp_path_factory.mktemp("shared"))


def test_families_are_trained_first_then_measured_then_the_best_are_trained_on(
    searched: tuple[Study, SharingWorkers],
) -> None:
    done = kinds(searched[1].done)
    assert done[:2] == ["bank", "bank"]
    assert done.count("bank") == 2
    measured = [index for index, kind in enumerate(done) if kind == "measure"]
    searched_trials = [r for r in searched[0].records.values() if not r.is_fixed and r.status == Status.TRAINED]
    assert len(measured) == len(searched_trials) == 12
    assert set(done[measured[-1] + 1 :]) == {"train"}


def test_what_is_measured_has_the_steps_of_the_shared_training(searched: tuple[Study, SharingWorkers]) -> None:
    study, workers = searched
    for job in workers.done:
        if isinstance(job, RungJob) and study.records[job.number].family is not None:
            assert job.begun_at == 100
            assert job.inherits == (job.rung == 0)
            family = study.records[job.number].family
            expected = f"shared/family-{family}.safetensors" if job.inherits else f"-{job.number}-rung-0.safetensors"
            assert job.start.endswith(expected)


def test_finalists_climb_from_what_they_inherited(searched: tuple[Study, SharingWorkers]) -> None:
    records = [record for record in searched[0].records.values() if record.family is not None]
    climbed = [record for record in records if len(record.rungs) > 1]
    assert len(climbed) == 8
    assert [r.steps for r in climbed[0].rungs][:2] == [100, 150]
    assert sum(len(record.rungs) == 3 for record in records) == 4


def test_all_that_inherit_are_told_and_others_are_not(searched: tuple[Study, SharingWorkers]) -> None:
    study = searched[0]
    for trial in study.trials():
        if trial.state == optuna.trial.TrialState.WAITING:
            continue
        record = study.records[trial.number]
        told = trial.state == optuna.trial.TrialState.COMPLETE
        assert told == (record.family is not None and record.status == Status.TRAINED)


def test_published_networks_are_compared_at_equal_treatment(tmp_path: Path) -> None:
    study, workers = search(tmp_path, budget="200k-params", trials=4)
    by_source = {record.source: record for record in study.records.values() if record.is_fixed}
    assert by_source["s-lwsr16+skip"].family is not None  # it lies in the space
    assert by_source["s-lwsr16"].family is None  # as published
    alone = [j for j in workers.done if isinstance(j, RungJob) and j.number == by_source["s-lwsr16"].trial]
    assert [(job.begun_at, job.start, job.steps) for job in alone] == [(0, "", 100), (0, "", 150), (0, "", 200)]
    for name in ("s-lwsr16", "s-lwsr16+skip"):
        assert [result.steps for result in by_source[name].rungs] == [100, 150, 200], name


def test_candidates_are_measured_before_published_networks_are_trained_alone(tmp_path: Path) -> None:
    """A run that is short of time has a front early; at its end, it has trained on some of both."""
    study, workers = search(tmp_path, budget="200k-params", trials=20)
    done, jobs = kinds(workers.done), [job for job in workers.done if isinstance(job, RungJob)]
    alone = {r.trial for r in study.records.values() if r.is_fixed and r.family is None}
    assert len(alone) == 3
    first_alone = next(
        index for index, job in enumerate(workers.done) if isinstance(job, RungJob) and job.number in alone
    )
    assert done[:first_alone].count("measure") == 20 + 3  # and the published ones that inherit
    assert done[:first_alone].count("train") == 0
    climbing = [study.records[job.number].is_fixed for job in jobs if job.rung == 1]
    assert climbing[:8] == [True, False] * 4


def test_proposals_outside_a_family_lead_into_it(searched: tuple[Study, SharingWorkers]) -> None:
    study = searched[0]
    generation_of = [record for record in study.records.values() if record.status == Status.TRAINED]
    assert all(record.costs.params <= 30_000 for record in generation_of)
    assert not [r for r in study.records.values() if r.family is not None and r.status == Status.UNCOVERED]


def journal(study: Study) -> list[tuple[str, str, int | None, list[int]]]:
    return [
        (record.architecture.key, record.status, record.family, [result.steps for result in record.rungs])
        for record in study.records.values()
    ]


def test_a_kill_at_any_point_leaves_a_run_that_goes_on(tmp_path: Path, searched: tuple[Study, SharingWorkers]) -> None:
    jobs = len(searched[1].done)
    for after in (1, 2, 8, jobs - 6, jobs - 1):
        folder = tmp_path / str(after)
        folder.mkdir()
        with pytest.raises(Killed):
            search(folder, workers=SharingWorkers(die_after=after))
        study, _ = search(folder)
        assert sorted(journal(study), key=str) == sorted(journal(searched[0]), key=str), after


def test_a_family_that_diverges_leaves_the_others(tmp_path: Path) -> None:
    study, _ = search(tmp_path, trials=4, workers=SharingWorkers(diverging=(0,)))
    families = {record.family for record in study.records.values() if record.status == Status.TRAINED}
    assert families == {1}
    assert study.noted("family_0") == {"failed": "the loss is not finite at training step 9"}
    again, workers = search(tmp_path, trials=5)
    assert "bank" not in kinds(workers.done)  # it is not tried again
    assert sum(not record.is_fixed and record.status == Status.TRAINED for record in again.records.values()) == 5


def test_a_run_whose_families_all_diverge_has_another_one(tmp_path: Path) -> None:
    study, _ = search(tmp_path, trials=4, workers=SharingWorkers(diverging=(0, 1)))
    assert {record.family for record in study.records.values() if record.status == Status.TRAINED} == {2}


def test_papers_of_a_family_that_diverges_are_trained_alone(tmp_path: Path) -> None:
    study, _ = search(tmp_path, budget="200k-params", trials=2, workers=SharingWorkers(diverging=(0,)))
    record = next(record for record in study.records.values() if record.source == "s-lwsr16+skip")
    assert record.family is None
    assert len(record.rungs) == 3


def test_without_any_family_only_papers_are_left(tmp_path: Path) -> None:
    study, workers = search(tmp_path, trials=4, workers=SharingWorkers(diverging=tuple(range(99))))
    assert set(kinds(workers.done)) == {"bank"}
    assert not [record for record in study.records.values() if record.status == Status.TRAINED]


@pytest.mark.parametrize("task", TASKS)
def test_first_families_fit_the_budget_and_differ(task: str) -> None:
    request = request_from_options(task=task, budget="60k-params", input=(64, 36))
    made = replace(settings(budget="60k-params"), **vars(request.wanted))
    screen = Screen(TASKS[task], made, request.budget)
    found = first_families(screen, 4)
    assert len(found) == len(set(found)) >= 2
    for family in found:
        largest = family.largest(screen.space)
        assert family.holds(largest)
        assert screen.excess(largest) <= 0, family.name
        assert screen.space.decode(largest).lacks_input_skip is False, family.name
    part, generator = screen.within(found[0].space(screen.space)), np.random.default_rng(0)
    bank = WeightBank()
    for design in reversed(designs_of(part, generator, found[0].largest(screen.space))):
        bank.cover(design, torch.Generator())
    members = (part.space.random(generator) for _ in range(8))
    assert all(bank.covers(part.space.decode(values)) for values in members)
    assert found == first_families(screen, 4)


def test_a_plain_backbone_has_families_of_residual_blocks_of_cheap_ones_and_with_attention() -> None:
    request = request_from_options(task="sr", budget="200k-params", input=(64, 36))
    screen = Screen(TASKS["sr"], replace(settings(), **vars(request.wanted)), request.budget)
    found = [dict(family.held) for family in first_families(screen, MOST_FAMILIES)]
    plain = [(kinds["block"], kinds["attention"]) for kinds in found if kinds["backbone"] == "plain"]
    assert plain == [("residual", "none"), ("inverted", "none"), ("residual", "esa")]
    streams = [kinds for kinds in found if kinds["backbone"] == "streams"]
    assert [kinds["block"] for kinds in streams] == ["conv"]  # cheap already, and without attention
    symmetric = [kinds["attention"] for kinds in found if kinds["backbone"] == "symmetric"]
    assert set(symmetric) == {"none"}  # it has a published network


def test_weights_that_are_gone_are_not_covered(searched: tuple[Study, SharingWorkers], tmp_path: Path) -> None:
    from search.sharing.generation import Generation

    study = searched[0]
    request = request_from_options(task="sr", budget=BUDGET, input=(64, 36))
    screen = Screen(TASKS["sr"], study.settings, request.budget)
    generation = Generation(study, screen, LocalArtifacts(tmp_path))
    assert not generation.covers(0, generation.designs(0)[0])
    with pytest.raises(UserError, match="the weights of family 1 must be in the run's folder"):
        generation.bank(0)


def test_what_cannot_be_is_refused_in_one_line() -> None:
    with pytest.raises(UserError, match="--evaluator must be one of auto, alone, shared, got 'supernet'"):
        request_from_options(task="sr", budget=BUDGET, evaluator="supernet")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"task": "sr"}, SHARED),  # ten minutes
        ({"task": "sr", "time": "1h"}, SHARED),
        ({"task": "sr", "time": "4m"}, ALONE),  # too short to train weights for many
        ({"task": "sr", "trials": "8"}, ALONE),
        ({"task": "sr", "time": "1h", "trials": "8"}, ALONE),
        ({"task": "sr", "rungs": "100,200"}, ALONE),
        ({"task": "sr", "compress": "prune"}, SHARED),
        ({"task": "sr", "compress": "prune", "time": "4m"}, ALONE),
        ({"task": "denoise"}, ALONE),  # it was not measured to be better
        ({"task": "denoise", "evaluator": "shared"}, SHARED),
        ({"task": "sr", "evaluator": "shared", "compress": "prune,int8,distil"}, SHARED),
        ({"task": "sr", "evaluator": "alone"}, ALONE),
    ],
)
def test_the_evaluator_is_chosen_by_task_and_time(options: dict[str, str], expected: str) -> None:
    assert request_from_options(budget=BUDGET, **options).wanted.evaluator == expected


@pytest.mark.parametrize("begun", [ALONE, SHARED])
def test_a_run_goes_on_as_it_was_begun(begun: str, tmp_path: Path) -> None:
    options = {"task": "sr", "budget": "30k-params", "run_dir": str(tmp_path / "run"), "workers": "1"}
    request = request_from_options(evaluator=begun, trials="1", rungs="1", **options)
    first = check_and_read(request)
    request.folder.mkdir()
    Study.create(request.folder, first.settings)
    again = check_and_read(request_from_options(trials="2", rungs="1", **options))
    assert again.settings.evaluator == begun
    other = ALONE if begun == SHARED else SHARED
    with pytest.raises(UserError, match=f"evaluator {begun}, got {other}"):
        check_and_read(request_from_options(evaluator=other, trials="2", rungs="1", **options))


def test_a_run_goes_on_with_the_sampler_that_it_was_begun_with(tmp_path: Path) -> None:
    """Runs that were begun when another one was the default among them."""
    options = {"task": "sr", "budget": "30k-params", "run_dir": str(tmp_path / "run"), "workers": "1", "trials": "1"}
    first = check_and_read(request_from_options(sampler="tpe", **options))
    first.request.folder.mkdir()
    Study.create(first.request.folder, first.settings)
    assert check_and_read(request_from_options(**options)).settings.sampler == "tpe"
    with pytest.raises(UserError, match="sampler tpe, got surrogate"):
        check_and_read(request_from_options(sampler="surrogate", **options))


def checked(tmp_path: Path, **options: str) -> Session:
    run_dir = str(tmp_path / "run")
    return check_and_read(request_from_options(task="sr", workers="1", run_dir=run_dir, **options))


def test_under_a_budget_that_fits_too_few_networks_of_a_kind_each_is_trained_alone(tmp_path: Path) -> None:
    tight = "3k-params"
    assert checked(tmp_path, budget=tight).settings.evaluator == ALONE
    with pytest.raises(UserError, match=f"--evaluator shared needs several networks of a kind .* got {tight}"):
        checked(tmp_path, budget=tight, evaluator=SHARED)
    assert not (tmp_path / "run").exists()
    assert checked(tmp_path, budget="30k-params").settings.evaluator == SHARED


@pytest.mark.parametrize("sampler", [pytest.param(name, marks=SLOW.get(name, ())) for name in PROPOSERS])
def test_every_sampler_proposes_in_families_until_they_are_exhausted(sampler: str, tmp_path: Path) -> None:
    if sampler.startswith("nni"):
        pytest.importorskip("nni")
    study, _ = search(tmp_path, trials=90, sampler=sampler, budget="15k-params")
    found = [r for r in study.records.values() if not r.is_fixed and r.status == Status.TRAINED]
    assert {record.family for record in found} == {0, 1}
    assert 12 <= len(found) < 90
    proposed = [r for r in study.records.values() if r.status == Status.DUPLICATE]
    assert proposed  # by the sampler, when all that was queued had been measured
    assert all(study.records[number].family is not None for number in {r.trial for r in found})


@pytest.mark.parametrize("budget", ["300ms@pixel4-a76", "60ms@pixel4-a76-int8", "20mb-memory"])
def test_budgets_in_other_units(budget: str, tmp_path: Path) -> None:
    study, _ = search(tmp_path, trials=4, budget=budget)
    found = [r for r in study.records.values() if not r.is_fixed and r.status == Status.TRAINED]
    assert len(found) == 4
    assert all(len(record.rungs) > 1 for record in found)
