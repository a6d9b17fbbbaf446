"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

RULES = {"l": "---", "r": "---:"}


def table(heads: Sequence[str], rows: Iterable[Iterable[str]], align: str = "l") -> Iterator[str]:
    """The lines of a table. ``align`` has an ``l`` or ``r`` for each of the first columns; the others are numbers, to
    the right."""
    yield _line(heads)
    yield _line(RULES[side] for side in align.ljust(len(heads), "r"))
    yield from map(_line, rows)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
