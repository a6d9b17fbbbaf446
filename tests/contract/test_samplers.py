"""What every proposer keeps, told over a formula instead of training; a new one is tested by being added."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.samplers import BaseSampler, PartialFixedSampler, RandomSampler
from optuna.trial import TrialState

from search.candidates.initial_trials import enqueue_initial
from search.candidates.next_trial import next_trial
from search.candidates.screening import Screen
from search.proposers import PROPOSERS, proposer
from search.records import RungResult, RunSettings, TrialRecord
from search.request.budget import parse_budget
from search.storage.study import Study
from space import TASKS, SearchSpace, UserError

INPUT = (64, 36)
BUDGET = "100k-params"
TRIALS = 16  # more than the startup trials of any sampler, so that models propose too
FIXED_OFF_GRID = {"sr": "200k-params", "denoise": "600k-params"}


class ComputedElsewhere:
    """A proposer that is no sampler of Optuna's: it computes a whole point and hands it over."""

    def sampler(self, study: optuna.Study, screen: Screen, seed: int) -> BaseSampler:
        point = screen.space.random(np.random.default_rng(seed))
        return PartialFixedSampler(screen.space.parameters_of(point), RandomSampler(seed % 2**32))


MEMBERS = {**PROPOSERS, "computed-elsewhere": f"{__name__}:ComputedElsewhere"}


@pytest.fixture(scope="module", params=MEMBERS)
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PROPOSERS, request.param, MEMBERS[request.param])
        patch.setattr("search.proposers.surrogate.MOST", 30)  # the first networks of a kind take long to price
        patch.setattr("search.proposers.surrogate.CLIMBS", 1)
        yield request.param


@pytest.fixture(scope="module")
def whole(name: str, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A run of the sampler without an interruption."""
    return searched(tmp_path_factory.mktemp("whole"), name)


def settings(sampler: str, seed: int, task: str, budget: str) -> RunSettings:
    return RunSettings(
        task=task,
        scale=TASKS[task].default_scale,
        budget=budget,
        objectives=("psnr", "macs"),
        input_size=INPUT,
        sampler=sampler,
        seed=seed,
        rungs=(100,),
        workers=1,
        train_data="none",
        val_data="none",
        training={},
        environment={},
        created="2026-01-01T00:00:00+00:00",
    )


def searched(
    folder: Path, sampler: str, trials: int = TRIALS, seed: int = 0, task: str = "sr", budget: str = BUDGET
) -> Study:
    """A run without initial points, so that the proposer has the word; a formula answers. Continues what there is."""
    folder.mkdir(exist_ok=True)
    limits, study = parse_budget(budget), Study.open(folder, owned=True)
    if study is None:
        study = Study.create(folder, settings(sampler, seed, task, budget))
        study.note("starts_queued", True)
    enqueue_initial(study, TASKS[task], limits)
    while sum(bool(record.rungs) and not record.is_fixed for record in study.records.values()) < trials:
        record = next_trial(study, TASKS[task], limits)
        assert record is not None
        psnr_db = 28 + 0.2 * (record.costs.macs / 1e8) ** 0.5
        study.add_result(record.trial, RungResult(0, 100, psnr_db, 0.8, 1.0, 0.1, order=1 + len(study.records)))
    return study


def in_order(study: Study) -> list[TrialRecord]:
    return [record for _, record in sorted(study.records.items())]


def test_proposals_are_points_of_the_space_with_the_parameters_that_apply(whole: Study) -> None:
    study = whole
    space = SearchSpace(TASKS["sr"], study.settings.shape)
    stored = study.trials()
    trained = [record for record in in_order(study) if record.status == "trained"]
    assert len(trained) == TRIALS
    assert len({record.architecture.key for record in trained}) == TRIALS
    for record in in_order(study):
        assert space.decode(record.knobs) == record.architecture
        assert stored[record.trial].params == space.parameters_of(record.knobs)
        assert (record.costs.params <= 100_000) == (record.status != "over-budget")


def test_a_seed_gives_the_same_proposals_also_when_the_run_is_continued(
    tmp_path: Path, name: str, whole: Study
) -> None:
    for trials in range(2, TRIALS + 1, 7):
        searched(tmp_path, name, trials)
    assert in_order(searched(tmp_path, name)) == in_order(whole)


def test_another_seed_gives_other_proposals(tmp_path: Path, name: str, whole: Study) -> None:
    others = [record.architecture for record in in_order(searched(tmp_path, name, trials=2, seed=4))]
    assert others != [record.architecture for record in in_order(whole)][: len(others)]


@pytest.mark.parametrize("task", FIXED_OFF_GRID)
def test_fixed_trials_off_the_grid_do_not_stand_in_the_way(tmp_path: Path, name: str, task: str) -> None:
    study = searched(tmp_path, name, trials=2, task=task, budget=FIXED_OFF_GRID[task])
    fixed = [record for record in in_order(study) if record.is_fixed]
    space, stored = SearchSpace(TASKS[task], study.settings.shape), study.trials()
    assert any(space.encode(record.architecture) is None for record in fixed)
    assert [record.trial for record in fixed] == list(range(len(fixed)))
    for record in fixed:
        params = stored[record.trial].params
        assert params == space.parameters_of(record.knobs)
        assert stored[record.trial].state == (TrialState.COMPLETE if params else TrialState.PRUNED)
    assert any(not record.is_fixed and record.rungs for record in study.records.values())


def test_the_option_names_those_there_are() -> None:
    with pytest.raises(UserError, match=f"--sampler must be one of {', '.join(PROPOSERS)}, got 'dice'"):
        proposer("dice")
