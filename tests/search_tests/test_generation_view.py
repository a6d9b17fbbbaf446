"""What samplers see of a run with several generations of shared weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from optuna.samplers import BaseSampler, NSGAIISampler, TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from search.records import Status
from search.storage import open_storage, url_of
from search.storage.generation_view import generation_view

FIRST_RUNG = 2
MEASURED = 24


def objective(trial: optuna.Trial) -> tuple[float, float]:
    width, depth = trial.suggest_int("width", 1, 64), trial.suggest_int("depth", 1, 64)
    return float(width * depth), float(width + depth)


@pytest.fixture(params=["memory", "journal", "sqlite"])
def study(request: pytest.FixtureRequest, tmp_path: Path) -> optuna.Study:
    """One generation of it is over."""
    url = {"journal": None, "sqlite": f"sqlite:///{tmp_path / 'trials.db'}"}
    storage = InMemoryStorage() if request.param == "memory" else open_storage(url_of(tmp_path, url[request.param]))
    made = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler(0), storage=storage)
    made.optimize(objective, n_trials=MEASURED)
    return made


def sampler(seed: int) -> NSGAIISampler:
    return NSGAIISampler(seed=seed, population_size=4)


def of_first(*numbers: int, status: Status = Status.TRAINED) -> dict[int, Any]:
    return {number: SimpleNamespace(first_rung=0, status=status) for number in numbers}


def test_nothing_that_was_measured_before(study: optuna.Study) -> None:
    records = of_first(*range(MEASURED)) | of_first(3, status=Status.OVER_BUDGET)
    view = generation_view(study, FIRST_RUNG, records)
    assert [trial.number for trial in view.get_trials()] == [3]
    asked = view.ask()
    assert asked.number == MEASURED
    view.tell(asked, objective(asked))
    assert [trial.number for trial in view.get_trials()] == [3, MEASURED]
    assert [trial.number for trial in view.get_trials(states=[TrialState.COMPLETE])] == [3, MEASURED]
    assert len(study.get_trials()) == MEASURED + 1  # it was written to the study itself
    records[MEASURED] = SimpleNamespace(first_rung=FIRST_RUNG, status=Status.TRAINED)
    assert [trial.number for trial in view.get_trials()] == [3, MEASURED]


def test_a_point_that_was_measured_before_is_queued_again_once(study: optuna.Study) -> None:
    view = generation_view(study, FIRST_RUNG, of_first(*range(MEASURED)))
    point = study.get_trials()[5].params
    for _ in range(2):
        study.enqueue_trial(point, skip_if_exists=True)
        assert len(study.get_trials()) == MEASURED
    for _ in range(2):
        view.enqueue_trial(point, skip_if_exists=True)
    assert len(study.get_trials()) == MEASURED + 1


def test_populations_of_a_genetic_sampler_begin_anew(study: optuna.Study) -> None:
    """It numbers them in the study, and remembers the parents of each by its number."""
    numbers = [trial.system_attrs[sampler(0)._get_generation_key()] for trial in study.get_trials()]
    assert max(numbers) > 2
    view = generation_view(study, FIRST_RUNG, of_first(*range(MEASURED)))
    view.sampler = sampler(1)
    view.optimize(objective, n_trials=MEASURED)
    later = view.get_trials()
    assert [trial.number for trial in later] == list(range(MEASURED, 2 * MEASURED))
    numbers = [trial.system_attrs[sampler(0)._get_generation_key()] for trial in later]
    assert numbers[:4] == [0] * 4
    assert max(numbers) > 2
    ids = {trial._trial_id for trial in later}
    for number in range(1, max(numbers)):
        parents = sampler(2).get_parent_population(view, number)
        assert len(parents) == 4
        assert {parent._trial_id for parent in parents} <= ids


@pytest.mark.parametrize("made", [sampler, lambda seed: TPESampler(seed=seed, n_startup_trials=4)])
def test_proposals_are_those_of_a_study_that_was_never_told_more(
    made: Callable[[int], BaseSampler], study: optuna.Study
) -> None:
    alone = optuna.create_study(directions=["maximize", "minimize"], sampler=made(3))
    alone.optimize(objective, n_trials=12)
    view = generation_view(study, FIRST_RUNG, of_first(*range(MEASURED)))
    view.sampler = made(3)
    view.optimize(objective, n_trials=12)
    assert [trial.params for trial in view.get_trials()] == [trial.params for trial in alone.get_trials()]
