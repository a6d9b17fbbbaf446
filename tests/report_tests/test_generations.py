"""A run with two generations of shared weights, as its page shows it."""

from __future__ import annotations

import dataclasses
import re

import pytest

from reports.run.effects import knob_effects
from reports.run.front import front_frame
from reports.run.html import report_html
from reports.run.ladder import ladder
from search.pareto import front, front_rung
from search.records import RunResult, SharedWeights, Status, TrialRecord
from tests.report_tests.conftest import rung_result, synthetic_run

RUNGS = (100, 133, 200, 266)


def again(number: int, trial: TrialRecord, rungs: tuple[int, ...]) -> TrialRecord:
    """The network of ``trial`` in the second generation."""
    results = tuple(
        dataclasses.replace(rung_result(trial.architecture, 0, 0.1), rung=rung, steps=RUNGS[rung]) for rung in rungs
    )
    return dataclasses.replace(trial, trial=number, rungs=results, first_rung=2, family=0)


@pytest.fixture(scope="module")
def two() -> RunResult:
    made = synthetic_run(searched=24)
    first = [
        dataclasses.replace(
            trial,
            family=None if trial.is_fixed else 0,
            rungs=tuple(dataclasses.replace(each, steps=RUNGS[each.rung]) for each in trial.rungs[:2]),
        )
        for trial in made.trials
    ]
    trained = [trial for trial in first if trial.status == "trained" and not trial.is_fixed]
    second = [again(len(first) + index, trial, (2, 3) if index < 9 else (2,)) for index, trial in enumerate(trained)]
    settings = dataclasses.replace(made.settings, rungs=RUNGS, evaluator="shared")
    shared = (SharedWeights("plain", 8, 100, 3.0), SharedWeights("plain", 8, 200, 3.5))
    return dataclasses.replace(made, settings=settings, trials=(*first, *second), shared=shared)


def test_its_front_is_that_of_the_second(two: RunResult) -> None:
    assert two.inherited_rungs == (0, 2)
    assert front_rung(two) == 3
    assert {trial.first_rung for trial in front(two) if not trial.is_fixed} == {2}


def test_a_published_network_of_both_has_one_row(two: RunResult) -> None:
    skipping = next(trial for trial in two.trials if trial.source == "s-lwsr16+skip")
    later = again(len(two.trials), skipping, (2, 3))
    waiting = dataclasses.replace(later, trial=later.trial + 1, source="s-lwsr16", rungs=(), status=Status.RUNNING)
    table = front_frame(dataclasses.replace(two, trials=(*two.trials, later, waiting)))
    rows = table[table["source"] != "search"].set_index("source")
    assert rows.index.is_unique
    assert rows.loc["s-lwsr16+skip", "trial"] == later.trial
    assert rows.loc["s-lwsr16+skip", "steps"] == RUNGS[3]
    assert rows.loc["s-lwsr16", "trial"] != waiting.trial  # it has not been trained yet


def test_no_rung_is_said_to_predict_one_of_other_candidates(two: RunResult) -> None:
    rungs = ladder(two)
    assert [each.ends_generation for each in rungs] == [False, True, False, False]
    assert rungs[0].correlation is not None
    assert (rungs[1].both, rungs[1].correlation) == (0, None)
    assert rungs[2].both == 9


def test_effects_of_knobs_are_those_of_one_generation(two: RunResult) -> None:
    counts = [sum(map(len, effect.gains_db.values())) for effect in knob_effects(two)]
    first = [trial for trial in two.trials if not trial.is_fixed and trial.at_rung(0)]
    assert counts
    assert set(counts) == {len(first)}  # as many as the first measured, not those of both


def test_its_page_says_where_the_second_begins(two: RunResult) -> None:
    made = report_html(two)
    assert "alone. On rung 3 a new generation of candidates begins" in made
    assert not re.search(
        r"[a-z][.;:][A-Z]", " ".join(re.findall(r'<p class="note">([^<]*)', made))
    )  # sentences keep apart
    assert "a new generation begins there" in made
    assert "plain: 100 steps on 8 designs" in made
    assert "plain: 200 steps on 8 designs" in made
