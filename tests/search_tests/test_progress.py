"""Who shows a search where: a terminal, a notebook, a pipe, or nobody."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest
from rich.console import Console

from search.sessions.progress import LiveProgress, NoProgress, NotebookProgress, PlainProgress, progress_for
from search.workers.messages import Progress
from tests.search_tests.conftest import settings


class Cell:
    """Stands for what ``IPython.display`` gives back: a place whose HTML can be changed."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def update(self, html: str) -> None:
        self.shown.append(html)


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    cell, display = Cell(), ModuleType("IPython.display")
    display.HTML = str
    display.display = lambda html, display_id: cell
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    return cell


@pytest.mark.parametrize(
    ("console", "kind"),
    [
        (lambda: None, NoProgress),
        (lambda: Console(file=io.StringIO()), PlainProgress),
        (lambda: Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "xterm"}), LiveProgress),
        (lambda: Console(file=io.StringIO(), force_terminal=True, _environ={"TERM": "dumb"}), PlainProgress),
        (lambda: Console(file=io.StringIO(), force_jupyter=True), NotebookProgress),
    ],
)
def test_the_place_decides_who_shows(console: Callable[[], Console | None], kind: type) -> None:
    assert isinstance(progress_for(console(), settings()), kind)


def test_a_notebook_shows_the_panel_and_takes_it_away(run_loop, cell: Cell, monkeypatch) -> None:
    monkeypatch.setattr("search.sessions.progress.NOTEBOOK_EVERY_S", 0)
    study, _ = run_loop(trials=2)
    records = list(study.records.values())
    with NotebookProgress(Console(file=io.StringIO(), force_jupyter=True), study.settings) as progress:
        progress.known(records)
        progress.started(records[0], 200)
        progress.progressed(Progress(records[0].trial, 50, 200, 0.0123))
        progress.tick(61.0)
        assert "1:01 left; " in cell.shown[-1]
        assert "step 50 of 200, loss 0.0123" in cell.shown[-1]
        assert "best so far" in cell.shown[-1]
        progress.failed(records[0])
        progress.tick(60.0)
        assert ", 1 failed" in cell.shown[-1]
    assert cell.shown[-1] == ""


def test_a_notebook_gets_text_as_text(run_loop, cell: Cell, monkeypatch) -> None:
    monkeypatch.setattr("search.sessions.progress.NOTEBOOK_EVERY_S", 0)
    study, _ = run_loop(trials=1)
    record = replace(next(iter(study.records.values())), reason="<script>alert(1)</script>")
    with NotebookProgress(Console(file=io.StringIO(), force_jupyter=True), study.settings) as progress:
        progress.failed(record)
        progress.tick(None)
        assert "&lt;script&gt;" in cell.shown[-1]
        assert "<script>" not in cell.shown[-1]
