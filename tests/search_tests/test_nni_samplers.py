"""NNI's strategies as proposers: what they make of a study, and what is said where they are not installed."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from search.candidates.next_trial import next_trial
from search.candidates.screening import Screen
from search.cli import main
from search.proposers.results import Result, Seen
from search.records import RungResult
from search.request.budget import parse_budget
from search.storage.study import Study
from space import TASKS, ZOO
from tests.search_tests.conftest import settings

strategies = pytest.importorskip("search.proposers.nni_strategies")

SR = TASKS["sr"]
NAMES = tuple(strategies.STRATEGIES)


@pytest.fixture
def screen() -> Screen:
    return Screen(SR, settings(), parse_budget("1m-params"))


def results(screen: Screen, count: int, seed: int = 0) -> list[Result]:
    """Trials of which the later are the better and the cheaper."""
    generator, found = np.random.default_rng(seed), []
    for number in range(count):
        values = screen.space.random(generator)
        record = screen.candidate(number, values)
        cheaper = screen.costs(record.architecture)
        found.append(Result(number, record.architecture.key, values, cheaper, 28.0 + number, 1.0))
    return found


def seen(told: list[Result]) -> Seen:
    return Seen(tuple(told), (), frozenset(each.key for each in told))


def test_a_new_run_begins_with_random_networks_and_then_the_best_of_the_last_are_changed(screen: Screen) -> None:
    told = results(screen, 30)
    first = strategies.proposed("nni-evolution", screen, seen(told[:19]), seed=5)
    assert first == strategies.proposed("nni-evolution", screen, seen(told[:19]), seed=5)
    assert first not in [screen.space.parameters_of(each.values) for each in told]
    for seed in range(6):
        child = strategies.proposed("nni-evolution", screen, seen(told), seed)
        alive = [screen.space.parameters_of(each.values) for each in told[-strategies.POPULATION :]]
        shared = [len(child.items() & parent.items()) / len(child) for parent in alive]
        assert max(shared) > 0.6
        assert len(child.items() & first.items()) / len(child) < max(shared)


def test_only_the_last_results_live(screen: Screen) -> None:
    told = results(screen, 30)
    strategy, state = strategies._evolution(screen, seen(told), 0)
    assert len(state["population"]) == strategies.POPULATION == strategy.population_size
    assert state["population"][-1].x == strategies.sample_of(screen.space, told[-1], 0)
    assert state["population"][-1].y == 0 >= min(each.y for each in state["population"])


def test_a_sample_has_all_choices_and_those_that_apply_make_the_point(screen: Screen) -> None:
    for result in results(screen, 10):
        sample = strategies.sample_of(screen.space, result, seed=0)
        assert sample.keys() == {parameter.name for parameter in screen.space.parameters}
        assert sample == strategies.sample_of(screen.space, result, seed=0)
        assert strategies.point_of(screen.space, sample) == result.values
        assert strategies.Space(screen.space).freeze(sample) == sample


def test_a_published_network_off_the_grid_is_a_sample_too(screen: Screen) -> None:
    published = {**ZOO["s-lwsr16"].knobs, "width": 17}
    result = Result(3, "key", published, screen.costs(ZOO["s-lwsr16"].architecture), 28.0, 1.0)
    sample = strategies.sample_of(screen.space, result, seed=0)
    assert strategies.Space(screen.space).contains(sample)
    assert sample["backbone"] == published["backbone"]


@pytest.mark.parametrize("name", NAMES)
def test_a_network_that_the_study_knows_is_not_proposed_again(tmp_path: Path, name: str) -> None:
    study = Study.create(tmp_path, settings(sampler=name))
    study.note("starts_queued", True)
    budget = parse_budget("100m-params")
    for _ in range(26):
        record = next_trial(study, SR, budget)
        study.add_result(record.trial, RungResult(0, 100, 28.0 + record.trial, 0.8, 1.0, 0.1, order=1))
    assert {record.status for record in study.records.values()} == {"trained"}


@pytest.mark.parametrize("name", NAMES)
def test_an_exhausted_space_is_left_to_chance(screen: Screen, monkeypatch, name: str) -> None:
    monkeypatch.setattr(strategies.Space, "check_contains", lambda *_: strategies.SampleValidationError("known"))
    assert strategies.proposed(name, screen, seen([]), seed=0) == {}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("package", ["nni", "pytorch_lightning"])
def test_without_the_extra_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch, capsys, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    folder = tmp_path / "run"
    words = ["run", "--task", "sr", "--budget", "60k-params", "--sampler", name, "--run-dir", str(folder)]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"--sampler {name} needs {package}, which is not installed; pip install 'litefront[nni]'" in said
    assert not folder.exists()
