"""A run in which no network beats doing without one: said plainly, and nothing is starred."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from reports.run.nothing_better import nothing_better, what_would_help
from rich.console import Console

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


def test_it_is_said_with_what_would_help(hopeless: RunResult) -> None:
    said = nothing_better(hopeless)
    assert "No network is better than" in said
    assert f"({hopeless.baseline_psnr_db:.2f} dB)" in said
    assert f"0.72 dB below after {hopeless.settings.rungs[front_rung(hopeless)]:,} steps" in said
    assert outcome(hopeless) == f"{said} {what_would_help(hopeless)}"


def test_nothing_is_starred_and_everything_is_written(hopeless: RunResult, tmp_path: Path) -> None:
    assert not front_frame(hopeless)["on_front"].any()
    console = Console(width=100)
    with console.capture() as shown:
        console.print(front_table(hopeless))
    assert "\n*" not in shown.get().partition("* on the front")[0]
    assert "No network is better than" in write_all(hopeless, tmp_path).read_text()


@pytest.mark.parametrize(
    ("budget", "has_input"),
    [("200k-params", False), ("1mb-weights", False), ("2g-macs", True), ("64mb-memory", True), ("9ms@x", True)],
)  # fmt: skip
def test_a_smaller_input_is_named_where_it_would_help(hopeless: RunResult, budget: str, has_input: bool) -> None:
    run = replace(hopeless, settings=replace(hopeless.settings, budget=budget))
    assert ("an --input smaller than 320x180" in what_would_help(run)) == has_input
    assert "a longer --time" in what_would_help(run)


def test_nothing_is_said_where_there_is_a_front_or_nothing_was_measured(hopeless: RunResult) -> None:
    assert nothing_better(synthetic_run(searched=9)) is None
    assert nothing_better(replace(hopeless, trials=())) is None
