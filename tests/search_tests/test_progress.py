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


def test_a_log_tells_of_each_part_of_the_training_of_shared_weights() -> None:
    shown = io.StringIO()
    progress = PlainProgress(Console(file=shown, width=200), settings())
    progress.sharing_began(-7, "plain residual", 12, 400)
    for step in (1, 99, 100, 150, 230, 399, 400):
        progress.progressed(Progress(-7, step, 400, 0.01))
    progress.progressed(Progress(3, 300, 400, 0.01))  # of a trial: its result comes soon enough
    progress.sharing_ended(-7, "trained the weights of plain residual networks (61.0 s)")
    progress.progressed(Progress(-7, 399, 400, 0.01))  # late
    assert shown.getvalue().splitlines() == [
        "training the weights of plain residual networks on 12 designs to 400 steps",
        "  step 100 of 400 of the weights of plain residual networks",
        "  step 230 of 400 of the weights of plain residual networks",
        "  step 399 of 400 of the weights of plain residual networks",
        "trained the weights of plain residual networks (61.0 s)",
    ]


def test_a_log_of_a_run_that_goes_on_tells_where_the_training_of_shared_weights_is() -> None:
    shown = io.StringIO()
    progress = PlainProgress(Console(file=shown, width=200), settings())
    progress.sharing_began(-7, "plain residual", 12, 400)
    progress.progressed(Progress(-7, 205, 400, 0.01))
    assert shown.getvalue().splitlines()[1:] == ["  step 205 of 400 of the weights of plain residual networks"]


def test_the_panel_shows_the_training_of_shared_weights(cell: Cell, monkeypatch) -> None:
    monkeypatch.setattr("search.sessions.progress.NOTEBOOK_EVERY_S", 0)
    said = io.StringIO()
    with NotebookProgress(Console(file=said, width=200), settings()) as progress:
        progress.sharing_began(-7, "plain residual", 12, 400)
        progress.progressed(Progress(-7, 100, 400, 0.0123))
        progress.tick(61.0)
        assert "weights of plain residual networks" in cell.shown[-1]
        assert "step 100 of 400, loss 0.0123" in cell.shown[-1]
        assert "12 designs" in cell.shown[-1]
        progress.sharing_ended(-7, "training the weights of plain residual networks failed: the loss is not finite")
        progress.tick(60.0)
        assert "plain residual" not in cell.shown[-1]
    assert "failed: the loss is not finite" in said.getvalue()
