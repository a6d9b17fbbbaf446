"""What commands print: text that is never markup, and tables that are never broken inside words."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Group
from rich.table import Table

from latency_tables.cli.console import Console

NAMES = ("s-lwsr16-no-pool", "dncnn-list-color", "ecbsr-m16c64")


def console(width: int, **options: object) -> Console:
    return Console(file=io.StringIO(), width=width, **options)


def table() -> Table:
    shown = Table(title="networks of the a[/b] run", title_justify="left", pad_edge=False)
    shown.add_column("network", no_wrap=True)
    shown.add_column("ms pixel4-a76", justify="right")
    shown.add_column("peak memory", justify="right")
    shown.add_column("remark")
    for name in NAMES:
        shown.add_row(name, "1,371.5", "118.0 MB", "the released graph: all 26 activations run, [though] some do not")
    return shown


def text(width: int, printed: object) -> str:
    shown = console(width)
    shown.print(printed)
    return shown.file.getvalue()


@pytest.mark.parametrize("words", ["--run-dir a[/b]", "[train].png", "[bold]loud[/bold]", ":smile:", "[/]", "[red"])
def test_text_is_never_markup(words: str) -> None:
    assert text(80, words) == words + "\n"
    shown = Table(words)
    shown.add_row(words)
    assert text(80, shown).count(words) == 2


def test_text_never_controls_the_terminal() -> None:
    shown = Table(title="\x1b]0;owned\x07")
    shown.add_column("a")
    shown.add_row("b\x1b[2J\u202e")
    for printed in ("\x1b[2Jgone\x9b\u202e", shown, Group(shown)):
        assert re.search("[\x1b\x07\x9b\u202e]", text(80, printed)) is None


@pytest.mark.parametrize("width", [200, 100, 80, 60, 50, 30, 20])
def test_no_table_breaks_inside_words(width: int) -> None:
    shown = text(width, table())
    assert max(map(len, shown.splitlines())) <= width
    words = {word for line in shown.splitlines() for word in re.split(r"[\s┃│┏┓┗┛┡┩]+", line)}
    for word in (*NAMES, "pixel4-a76", "1,371.5", "activations", "released"):
        assert any(word == each.rstrip(":") for each in words), shown


def test_a_figure_stays_with_its_unit() -> None:
    for width in (70, 60, 50):
        assert "118.0 MB" in text(width, table())


def test_what_is_wider_than_the_terminal_is_a_list() -> None:
    assert "  ms pixel4-a76: 1,371.5\n" in text(30, table())


@pytest.mark.parametrize(("columns", "width"), [("0", 20), ("3", 20), ("100000", 500), ("many", 80), ("50", 50)])
def test_the_width_that_the_environment_claims_is_believed_within_reason(
    columns: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.delenv("LINES", raising=False)
    assert Console(file=io.StringIO()).width == width


class _Closed(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError


def test_a_closed_pipe_makes_the_console_quiet() -> None:
    shown = Console(file=_Closed())
    shown.print("gone")
    shown.print("still here")
    assert shown.quiet
