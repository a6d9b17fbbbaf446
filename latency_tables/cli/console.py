"""The terminal that every command writes to."""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Iterable
from typing import Any

import rich.console
from rich.console import ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from space.terminal import drop, escape_controls

NARROWEST, WIDEST = 20, 500  # columns that are believed of a terminal


class Console(rich.console.Console):
    """As rich's console, but text is printed literally: no markup, emoji codes or control characters.

    A table that is too wide is never broken inside words: its columns share the width, and if even the longest words
    do not fit side by side, it becomes a list.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "emoji": False, "highlight": False, **options})
        if not NARROWEST <= self.width <= WIDEST:
            self.width = min(max(self.width, NARROWEST), WIDEST)

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(escape_controls(text, keep="\n"), **{**options, "markup": False, "emoji": False})

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        if isinstance(renderable, Table):
            renderable = fitted(renderable, (options or self.options).max_width)
        return super().render(renderable, options)

    def on_broken_pipe(self) -> None:
        """Nobody reads any longer (``| head``): the work goes on in silence."""
        self.quiet = True
        drop(self.file)


def fitted(table: Table, width: int) -> RenderableType:
    """``table`` itself where it fits or is not all text, else with columns as wide as their longest words and a share
    of the rest, else a list of its rows."""
    if not table.show_header or not table.rows or not all(_is_text(column) for column in table.columns):
        return table
    needed = [
        max(_unbroken(column, place, text) for place, text in enumerate(_texts(column))) for column in table.columns
    ]
    wanted = [max(_widest_line(text) for text in _texts(column)) for column in table.columns]
    wanted = [
        min(most, column.max_width) if column.max_width else most
        for most, column in zip(wanted, table.columns, strict=True)
    ]
    needed = [
        most if column.no_wrap else min(least, most)
        for least, most, column in zip(needed, wanted, table.columns, strict=True)
    ]
    room = width - _borders(table)
    if sum(wanted) <= room:
        return table
    if sum(needed) > room:
        return _as_list(table, width)
    sized = copy.copy(table)
    sized.columns = [copy.copy(column) for column in table.columns]
    free = room - sum(needed)
    for column, least, most in zip(sized.columns, needed, wanted, strict=True):
        share = free * (most - least) // max(sum(wanted) - sum(needed), 1)
        column.width = least + share
    return sized


def _as_list(table: Table, width: int) -> Group:
    """Each row as its name, and a line ``heading: value`` for every other column."""
    lines: list[Text] = []
    if table.title:
        lines.append(_wrapped(str(table.title), width, style="italic"))
    headings = [" ".join(str(column.header).split()) for column in table.columns]
    columns = [list(map(str, column._cells)) for column in table.columns]
    for row in zip(*columns, strict=True):
        named = [(heading, " ".join(cell.split())) for heading, cell in zip(headings, row, strict=True)]
        first, *rest = named
        lines.append(_wrapped(first[1] or "-", width, style="bold"))
        lines += [_wrapped(f"{heading}: {cell}" if heading else cell, width, "  ") for heading, cell in rest if cell]
    if table.caption:
        lines += [_wrapped(line, width, style="dim") for line in str(table.caption).splitlines()]
    return Group(*lines)


def _wrapped(text: str, width: int, indent: str = "", style: str = "") -> Text:
    """Lines that end between words; a word that is too long alone is broken."""
    lines = textwrap.wrap(
        escape_controls(text), max(width, 8), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )
    return Text("\n".join(lines), style=style)


def _is_text(column: Any) -> bool:
    return all(isinstance(each, str | Text) for each in (column.header, *column._cells))


def _texts(column: Any) -> list[str]:
    return [escape_controls(str(each), keep="\n") for each in (column.header, *column._cells)]


def _unbroken(column: Any, place: int, text: str) -> int:
    """How wide ``text`` is at least: its longest word; a figure, on the right, stays with its unit."""
    return _widest_line(text) if column.justify == "right" and place > 0 else _widest_word(text)


def _widest_word(text: str) -> int:
    return max((Text(word).cell_len for word in text.split()), default=0)


def _widest_line(text: str) -> int:
    return max((Text(line).cell_len for line in text.splitlines()), default=0)


def _borders(table: Table) -> int:
    """Columns of the terminal that padding and lines take."""
    count = len(table.columns)
    _, right, _, left = table.padding
    between = (count - 1) * (max(left, right) if table.collapse_padding else left + right)
    edges = (left + right) * bool(table.pad_edge)
    lines = (count - 1 + 2 * bool(table.show_edge)) * bool(table.box)
    return between + edges + lines
