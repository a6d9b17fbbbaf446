"""Budgets that hardly any network fits, of every unit and every task: what is proposed lies inside, and fast."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from evaluators.costs import architecture_costs
from search.candidates.initial_points import small_networks
from search.candidates.initial_trials import enqueue_initial
from search.candidates.repair import FROM_INPUT, repaired
from search.candidates.screening import Screen
from search.candidates.smallest import check_possible, smallest
from search.loop import Limits, SearchLoop
from search.pareto import SEED_NOISE_DB, front, front_rung
from search.records import RunResult, RunSettings
from search.request.budget import Budget, parse_budget
from search.request.tables import load_used, tables_of
from search.sessions.step_timing import step_seconds
from search.sessions.too_short import too_short, usable_s
from search.storage.study import Study
from space import TASKS, SearchSpace, UserError
from tests.search_tests.conftest import INPUT, FormulaWorkers, SilentListener, settings
from tests.search_tests.made_records import result_of, trial
from tests.small_table import write_small_table

OF_PLAIN = {"backbone": "plain"}
SLACK = 1.3  # of what the smallest network takes
UNITS = {"params": "params", "macs": "macs", "memory": "memory", "weights": "weights", "ms": "ms@board-x1"}


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> str:
    return str(write_small_table(tmp_path_factory.mktemp("tables")))


def tight(task_name: str, unit: str, table: str) -> tuple[RunSettings, Budget]:
    """A run of a task under a budget that is a little more than the smallest network takes."""
    task, word = TASKS[task_name], UNITS[unit]
    tables = tables_of("--latency", (table,) if unit == "ms" else ())
    asked = replace(
        settings(objectives=("psnr", "macs"), tables=tables), task=task_name, scale=task.default_scale, input_size=INPUT
    )
    price = lambda arch: architecture_costs(arch, INPUT, load_used(tables))  # noqa: E731
    _, least = smallest(lambda costs: costs.of(word), SearchSpace(task, asked.shape), price)
    number = SLACK * least.of(word)
    text = {"ms": f"{number:.6g}ms@{table}", "memory": f"{number:.0f}b-memory", "weights": f"{number:.0f}b-weights"}
    budget = parse_budget(text.get(unit, f"{number:.0f}-{unit}"))
    return replace(asked, budget=budget.text), budget


# Every unit and every task once; all pairs take minutes.
OFTEN = {("sr", "params"), ("denoise", "memory"), ("deblur", "macs"), ("raw-denoise", "ms"), ("inpaint", "weights")}
PAIRS = [
    pytest.param(task, unit, marks=[] if (task, unit) in OFTEN else pytest.mark.long)
    for task in TASKS
    for unit in UNITS
]


@pytest.mark.parametrize(("task_name", "unit"), PAIRS)
def test_a_tight_budget_is_searched_from_inside(tmp_path: Path, table: str, task_name: str, unit: str) -> None:
    asked, budget = tight(task_name, unit, table)
    study, workers, task = Study.create(tmp_path, asked), FormulaWorkers(), TASKS[task_name]
    assert min(step_seconds(study, workers, task, budget, lambda: False)[1:]) > 0  # there are networks to time
    enqueue_initial(study, task, budget)
    loop = SearchLoop(study, task, budget, workers, Limits(None, 6), SilentListener(), lambda: False)
    assert loop.run() is None
    trained = [record for record in study.records.values() if record.status == "trained"]
    assert len(trained) >= 6
    assert all(budget.allows(record.costs) for record in trained)
    # At most one in vain for every one that is trained, and those say by how much they are over.
    over = [record for record in study.records.values() if record.status == "over-budget"]
    assert len(over) <= 2 * len(trained)
    stored = study.trials()
    assert all(max(stored[record.trial].constraints.values()) > 0 for record in over)
    assert all(max(stored[record.trial].constraints.values()) <= 0 for record in trained)


def test_walks_into_the_budget_are_repeatable_and_new(table: str) -> None:
    asked, budget = tight("sr", "ms", table)
    screen, walked = Screen(TASKS["sr"], asked, budget), []
    for _ in range(2):
        generator, taken, found = np.random.default_rng(5), set(), []
        for _ in range(8):
            near = repaired(screen.space.random(generator, OF_PLAIN), screen, generator, taken)
            if near is None:
                continue
            key = screen.space.decode(near).key
            assert key not in taken
            assert near["backbone"] == "plain"
            assert screen.excess(near) <= 0
            taken.add(key)
            found.append(near)
        walked.append(found)
    assert walked[0] == walked[1]
    assert len(walked[0]) >= 6


def test_a_walk_ends_with_a_skip_from_the_input_where_the_budget_leaves_room() -> None:
    screen = Screen(TASKS["sr"], settings(), parse_budget("200k-params"))
    for seed in range(4):
        values = {**screen.space.random(np.random.default_rng(seed), OF_PLAIN), "input_skip": "none"}
        assert repaired(values, screen, np.random.default_rng(seed))["input_skip"] in FROM_INPUT


def test_starts_of_a_tight_budget_fit_it_and_begin_as_their_input(table: str) -> None:
    asked, budget = tight("sr", "ms", table)
    screen = Screen(TASKS["sr"], asked, budget)
    small = small_networks(screen)
    assert small
    assert all(screen.excess(values) <= 0 for values in small)


def test_a_network_that_no_table_prices_is_no_fit(table: str) -> None:
    asked, budget = tight("sr", "ms", table)
    screen, generator = Screen(TASKS["sr"], replace(asked, tables=()), budget), np.random.default_rng(0)
    assert repaired(screen.space.random(generator, OF_PLAIN), screen, generator) is None


def test_no_network_to_time_is_one_line(tmp_path: Path, monkeypatch) -> None:
    study = Study.create(tmp_path, settings(budget="4k-params"))
    monkeypatch.setattr("search.sessions.step_timing._likely", lambda *_: iter(()))
    with pytest.raises(UserError, match="--budget 4k-params fits no network found"):
        step_seconds(study, FormulaWorkers(), TASKS["sr"], parse_budget("4k-params"), lambda: False)


@pytest.mark.parametrize(("budget", "inputs"), [("0.2g-macs", "384x216"), ("1mb-memory", "128x72")])
def test_an_input_that_would_fit_is_named_and_does_fit(budget: str, inputs: str) -> None:
    task, asked = TASKS["sr"], parse_budget(budget)
    with pytest.raises(UserError, match=r"it fits at --input (\d+)x(\d+)$") as refused:
        check_possible(asked, SearchSpace(task, task.shape(2)), (640, 360))
    named = str(refused.value).rpartition(" ")[2]
    assert named == inputs
    width, height = map(int, named.split("x"))
    check_possible(asked, SearchSpace(task, task.shape(2)), (width, height))


def test_no_input_is_named_where_none_would_help() -> None:
    task = TASKS["sr"]
    with pytest.raises(UserError, match=r"fits no network; the smallest has [^;]*$"):
        check_possible(parse_budget("1k-params"), SearchSpace(task, task.shape(2)), (640, 360))


def test_what_is_no_better_than_doing_without_is_never_on_the_front() -> None:
    worse = [trial(n, 10 * n, 27.4 - n / 10) for n in range(1, 4)]  # the baseline is 27.5 dB
    assert front(result_of(*worse)) == ()
    assert front(result_of(trial(9, 1, 27.5), *worse)) == ()
    assert [member.trial for member in front(result_of(trial(9, 1, 27.6), *worse))] == [9]
    unknown = RunResult("r", settings(), tuple(worse), float("nan"), 1.0, "")
    assert [member.trial for member in front(unknown)] == [1]


def test_a_front_is_of_the_first_rung_with_a_gain_where_that_of_most_networks_has_none() -> None:
    short = [trial(n, 10 * n, 27.0) for n in range(3)]  # the baseline is 27.5 dB
    slow = trial(9, 50, 27.2, 27.6, 28.0)
    assert front_rung(result_of(*short)) == 0
    assert front_rung(result_of(*short, slow)) == 1
    assert [member.trial for member in front(result_of(*short, slow))] == [9]
    noisy = trial(8, 20, 27.5 + SEED_NOISE_DB / 2)
    assert front_rung(result_of(*short, noisy)) == 0
    assert front_rung(result_of(*short, noisy, slow)) == 1
    assert front_rung(result_of(*short, trial(8, 20, 27.6), slow)) == 0
    assert front_rung(result_of(*short, trial(9, 50, 27.2, 27.4))) == 0
    unknown = RunResult("r", settings(), (*short, slow), float("nan"), 1.0, "")
    assert front_rung(unknown) == 0


@pytest.mark.parametrize(
    ("time_s", "said"),
    [(40, "40 s is too short to search"), (150, "2 min 30 s is too short"), (600, None), (3600, None)],
)
def test_a_run_too_short_to_search_says_so(time_s: float, said: str | None) -> None:
    answer = too_short(time_s, used_s=15, fixed_step_s=1.0, searched_step_s=0.2, workers=2)
    assert (answer is None) if said is None else said in answer


@pytest.mark.parametrize(
    ("time_s", "fixed_step_s", "said"),
    [
        (60, 0.0, "the run trains about 3 networks; for 8 of its own: --time 2m"),
        (40, 0.0, "the run trains hardly a network;"),
        (75, 0.1, "trains the published networks and about 3 of its own;"),
        (60, 0.2, "trains the published networks and hardly one of its own;"),
        (30, 0.2, "trains the published networks and hardly one of its own;"),
    ],
)
def test_it_says_how_many_networks_a_short_run_trains(time_s: float, fixed_step_s: float, said: str) -> None:
    assert said in too_short(time_s, used_s=30, fixed_step_s=fixed_step_s, searched_step_s=0.06, workers=1)


def test_the_time_that_would_do_does() -> None:
    for used_s, fixed_s, searched_s, workers in ((15, 1.0, 0.2, 2), (5, 0.0, 0.01, 1), (60, 9.0, 2.0, 4)):
        answer = too_short(1.0, used_s, fixed_s, searched_s, workers)
        minutes = int(answer.rpartition(" ")[2].removesuffix("m"))
        assert too_short(60 * minutes, used_s, fixed_s, searched_s, workers) is None
        assert too_short(60 * minutes - 61, used_s, fixed_s, searched_s, workers) is not None
    assert usable_s(1000) == 970
    assert usable_s(100) == 85
