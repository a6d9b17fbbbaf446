"""Time by a clock that nobody sets: the wall clock may jump in the middle of anything."""

from __future__ import annotations

import ast
import time
from pathlib import Path

import pytest

from search.sessions.clock import Clock
from search.sessions.deadline import Deadline
from search.storage.note_names import ELAPSED_S
from search.storage.study import Study
from tests.search_tests.conftest import SilentListener, search_by_formula, settings

ROOT = Path(__file__).parents[2]
FILES = sorted(
    path
    for folder in ("space", "latency_tables", "evaluators", "search", "reports")
    for path in (ROOT / folder).rglob("*.py")
)


@pytest.mark.parametrize("jump_s", [-3600, 60, 1e9])
def test_a_jump_of_the_wall_clock_changes_no_duration(tmp_path: Path, monkeypatch, jump_s: float) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "time", lambda: 1.7e9 + jump_s * (now[0] > 1010))
    deadline, clock = Deadline(25), Clock(Study.create(tmp_path, settings()), 3.0, 1000.0, SilentListener())
    now[0] += 20
    clock.save()
    assert deadline.left_s == 5
    assert not deadline.is_over
    assert Study.open(tmp_path, owned=False).noted("elapsed_s") == 23.0
    now[0] += 6
    assert deadline.is_over


def test_no_duration_is_measured_with_the_wall_clock() -> None:
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                assert (node.value.id, node.attr) != ("time", "time"), f"{path}:{node.lineno}"


def test_never_is_never() -> None:
    assert not Deadline().is_over
    assert Deadline().left_s == float("inf")


def test_a_result_says_when_it_came_in(tmp_path: Path) -> None:
    """By the run's time as it is written down, also when a run goes on."""
    study = Study.create(tmp_path, settings(rungs=(100,)))
    study.note(ELAPSED_S, 12.5)
    first, _ = search_by_formula(tmp_path, trials=1)
    first.note(ELAPSED_S, 30.0)
    search_by_formula(tmp_path, trials=2)
    times = [rung.at_s for record in Study.open(tmp_path, owned=False).records.values() for rung in record.rungs]
    assert set(times) == {12.5, 30.0}
    assert times == sorted(times)
