"""A real run with shared weights, from request to page: trained in worker processes, with what it leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import search
from search import Run
from search.sharing import designs, planning
from search.storage.deleting import own_entries

OPTIONS = {
    "task": "sr",
    "budget": "20k-params",
    "evaluator": "shared",
    "rungs": (2, 3),
    "trials": 3,
    "workers": 2,
    "progress": False,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return search.run(**OPTIONS, run_dir=tmp_path_factory.mktemp("shared") / "run")


def test_it_is_finished_and_the_same_call_finds_it_so(run: Run) -> None:
    assert run.state == "finished"
    assert search.run(**OPTIONS, run_dir=run.folder).trials == run.trials


def test_its_families_are_told(run: Run) -> None:
    assert [each.failed for each in run.result.shared] == ["", ""]
    assert all(each.steps == 2 and each.train_s > 0 and each.designs > 3 for each in run.result.shared)
    shares = run.result.worker_shares
    assert shares["training of shared weights"] > 0
    assert sum(shares.values()) == pytest.approx(1)
    page = run.page.read_text("utf-8")
    for each in run.result.shared:
        assert f"{each.family}: 2 steps on {each.designs} designs" in page


def test_what_was_measured_inherited_and_the_best_went_on(run: Run) -> None:
    measured = [trial for trial in run.trained if not trial.is_fixed]
    assert len(measured) == 3
    assert all(trial.family is not None and trial.rungs[0].train_s == 0 for trial in measured)
    assert all([result.steps for result in trial.rungs] == [2, 3] for trial in measured)
    assert all(trial.rungs[1].train_s > 0 for trial in measured)


def test_its_networks_run_and_say_what_was_shared(run: Run) -> None:
    trial = run.trained[-1]
    model = run.model(trial)
    assert (model.facts["training"]["steps"], model.facts["training"]["shared_steps"]) == (3, 2)
    assert run.model(trial, rung=1).facts["training"]["steps"] == 2
    assert model.network(torch.rand(1, 3, 8, 8)).shape == (1, 3, 32, 32)


def test_delete_would_leave_nothing(run: Run) -> None:
    ours, others = own_entries(run.folder)
    assert others == []
    assert "shared" in {path.name for path in ours}


def test_its_record_is_json_that_names_the_evaluator(run: Run) -> None:
    assert json.loads((run.folder / "front.json").read_text("utf-8"))["settings"]["evaluator"] == "shared"


def test_a_longer_one_goes_on_with_the_same_families(run: Run, tmp_path: Path) -> None:
    before = run.result.shared
    again = search.run(**{**OPTIONS, "trials": 4}, run_dir=run.folder)
    assert again.result.shared == before
    assert len([trial for trial in again.trained if not trial.is_fixed]) == 4


@pytest.mark.long  # of the workers that answer at once: test_further_families.py
def test_a_run_of_more_families_trains_neighbours_of_the_first(tmp_path: Path, monkeypatch) -> None:
    """In real workers; few designs a family, so that all of them are soon measured."""
    monkeypatch.setattr(planning, "DEFAULT_FAMILIES", 5)
    monkeypatch.setattr(designs, "SPREAD", 6)
    made = search.run(**{**OPTIONS, "trials": 40}, run_dir=tmp_path / "run")
    names = [each.family for each in made.result.shared]
    assert len(names) == 5
    assert [(each.failed, each.steps) for each in made.result.shared] == [("", 2)] * 5
    further = {trial.family for trial in made.trained if not trial.is_fixed} - {0, 1, 2}
    assert further  # and networks of theirs are measured
    page = made.page.read_text("utf-8")
    assert all(f"{name}: 2 steps on" in page for name in names)


@pytest.mark.long  # of the workers that answer at once: test_generations.py
def test_twice_the_time_trains_the_same_weights_on(tmp_path: Path, monkeypatch) -> None:
    """In real workers; few designs a family, so that a minute or two have some of everything."""
    monkeypatch.setattr(designs, "SPREAD", 6)
    options = {**{key: value for key, value in OPTIONS.items() if key not in ("rungs", "trials")}, "seed": 1}
    first = search.run(**options, time="90s", run_dir=tmp_path / "run")
    again = search.run(**options, time="200s", run_dir=tmp_path / "run")
    shared, tuned = first.result.settings.rungs
    assert again.result.settings.rungs == (shared, tuned, 2 * shared, 2 * tuned)
    later = [trial for trial in again.trained if trial.family is not None and trial.first_rung == 2]
    assert later
    assert again.result.inherited_rungs == (0, 2)
    before = {trial.trial: trial.rungs for trial in first.trained if trial.family is not None}
    assert all(trial.rungs == before[trial.trial] for trial in again.trained if trial.trial in before)
    page = again.page.read_text("utf-8")
    for each in again.result.shared:
        told = f"not trained, {each.failed}" if each.failed else f"{each.steps} steps on {each.designs} designs"
        assert f"{each.family}: {told}" in page
    assert "On rung 3 a new generation of candidates begins" in page
    model = again.model(later[-1], rung=3)
    assert model.facts["training"]["shared_steps"] == 2 * shared
