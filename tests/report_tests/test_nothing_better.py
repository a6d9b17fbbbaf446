"""A run in which no network beats doing without one: said plainly, and nothing is starred."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from reports.run.advice import alternatives, recommendation
from reports.run.front import front_frame
from reports.run.headline import outcome
from reports.run.report import write_all
from reports.run.tables import front_table
from search.pareto import front_rung
from search.records import RunResult
from tests.report_tests.conftest import synthetic_run


@pytest.fixture(scope="module")
def hopeless() -> RunResult:
    run = synthetic_run(searched=9)
    rung = front_rung(run)
    best = max(trial.at_rung(rung).psnr_db for trial in run.trials if trial.at_rung(rung) is not None)
    return replace(run, baseline_psnr_db=best + 0.72)


def test_it_is_said_with_what_may_help(hopeless: RunResult) -> None:
    said = recommendation(hopeless)
    assert said.startswith("Nothing beats ")
    assert f"({hopeless.baseline_psnr_db:.2f} dB)" in said
    assert said.endswith("is 0.72 dB below it.")
    assert outcome(hopeless) == said
    (help_with,) = alternatives(hopeless)
    assert f"more --time (these networks were trained for {hopeless.settings.rungs[front_rung(hopeless)]:,} steps)" in (
        help_with
    )


def test_nothing_is_starred_and_everything_is_written(hopeless: RunResult, tmp_path: Path) -> None:
    assert not front_frame(hopeless)["on_front"].any()
    console = Console(width=100)
    with console.capture() as shown:
        console.print(front_table(hopeless))
    assert "\n*" not in shown.get().partition("* on the front")[0]
    assert "Nothing beats " in write_all(hopeless, tmp_path).read_text()


@pytest.mark.parametrize(
    ("budget", "has_input"),
    [("200k-params", False), ("1mb-weights", False), ("2g-macs", True), ("64mb-memory", True), ("9ms@x", True)],
)
def test_a_smaller_input_is_named_where_it_would_help(hopeless: RunResult, budget: str, has_input: bool) -> None:
    run = replace(hopeless, settings=replace(hopeless.settings, budget=budget))
    (help_with,) = alternatives(run)
    assert ("a smaller --input (the budget holds for 320×180)" in help_with) == has_input
    assert "a larger --budget" in help_with


def test_nothing_is_recommended_where_nothing_was_measured(hopeless: RunResult) -> None:
    empty = replace(hopeless, trials=())
    assert recommendation(empty) == "No network has been trained yet."
    assert alternatives(empty) == ()
    assert recommendation(synthetic_run(searched=9)).startswith("Recommended: ")
