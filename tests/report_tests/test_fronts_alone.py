"""What several runs' fronts are worth after the same trainings: of their members alone, each network once."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest

from search.experiments.benchmark import begin, opened
from search.experiments.benchmark_designs import BENCHMARKS
from search.pareto import front
from search.records import RunResult
from tests.benchmarks.fronts_alone import area, areas, designs, figure, members


@pytest.fixture
def runs(run: RunResult) -> dict[str, RunResult]:
    return {"alike-0": run, "alike-1": replace(run, baseline_psnr_db=run.baseline_psnr_db - 1)}


def test_the_area_counts_what_is_on_the_front() -> None:
    assert area([(1e8, 1.0), (1e9, 0.5), (1e9, 2.0)], 1e10) == pytest.approx(1.0 + 2.0)
    assert area([(1e8, -1.0)], 1e10) == 0


def test_each_network_is_trained_once_and_the_table_can_be_begun_with_them(
    runs: dict[str, RunResult], tmp_path: Path
) -> None:
    found = list(designs(runs, 99, math.inf))
    own = front(runs["alike-0"])
    assert [design.architecture for design in found] == [trial.architecture for trial in own]
    assert {design.source for design in found} == {"alike-0"}
    task = BENCHMARKS["sr"]
    begin(tmp_path, task, found)
    assert opened(tmp_path, task).designs == tuple(found)


def test_the_same_members_count_in_both_columns(runs: dict[str, RunResult]) -> None:
    chosen = members(runs["alike-0"], 2, math.inf)
    most_macs = 10.0 * max(trial.costs.macs for trial in chosen)
    gains = {trial.architecture.key: 3.0 for trial in chosen}
    first, second = areas(runs, gains, 2, most_macs)
    assert first.kind == second.kind == "alike"
    assert first.alone == second.alone == pytest.approx(3 * math.log10(most_macs / chosen[0].costs.macs))
    assert second.in_run > first.in_run  # its baseline is a decibel lower
    axes = figure(runs, gains, 2, most_macs).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["alike"]
    assert len(axes.lines) == 2 * len(runs)  # a front and its members
    gains.popitem()
    assert all(math.isnan(each.alone) for each in areas(runs, gains, 2, most_macs))
