"""The latency tables of a run: named by a person, written down with the run, and the same when it goes on."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path, PurePath
from typing import Any

from evaluators.quantities import latency_key
from latency_tables.tables.table import LatencyTable, load_table, table_names
from space.errors import UserError

TRAINED_DTYPE = "fp32"  # of the networks that a search trains and measures
_VARIANT = re.compile(r"-(\d+t|int8)")  # of a core's table: for several threads, or another number format
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class TableUse:
    """A latency table as a run used it.

    ``source`` is where it was read: the name of a shipped table, or the path of a CSV file. ``fingerprint`` is of its
    content, ``caption`` says device, core, threads, number format and engine.
    """

    name: str
    source: str
    fingerprint: str
    caption: str
    dtype: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TableUse:
        return cls(**data)


def table_name(option: str, source: str) -> str:
    """The name under which a table is spoken of: that of a shipped one, or a file's name without ``.csv``.

    Raises:
        UserError: there is none, or a file's name cannot stand in a budget.
    """
    if not source:
        raise UserError(f"{option} must name a latency table after @, got nothing; {tables_there_are()}")
    if not _is_path(source):
        return source
    name = PurePath(source).name.removesuffix(".csv")
    if not source.endswith(".csv") or not _NAME.fullmatch(name):
        raise UserError(
            f"{option} must name a latency table or a file NAME.csv with a NAME of letters, digits, '.', '-' and '_', "
            f"got {source!r}"
        )
    return name


def _is_path(source: str) -> bool:
    """Whether ``source`` is a file and not the name of a shipped table."""
    return source.endswith(".csv") or "/" in source or "\\" in source


def tables_there_are() -> str:
    """For the end of a message: what could have been written, the single cores in fp32."""
    names = ", ".join(name for name in table_names() if not _VARIANT.search(name)) or "none is shipped"
    return f"tables: {names}, or a file's path (see: python -m latency_tables list)"


def tables_of(option: str, sources: Iterable[str]) -> tuple[TableUse, ...]:
    """Every table in ``sources`` once, in the order of their names.

    Raises:
        UserError: one cannot be read, or two are called alike; the message begins with ``option``.
    """
    found: dict[str, TableUse] = {}
    for source in dict.fromkeys(sources):
        name = table_name(option, source)
        if _is_path(source) and name in table_names():
            raise UserError(f"{option} must not name a file like a shipped table, got {source!r}; rename the file")
        if name in found:
            raise UserError(f"{option} must not name two tables {name!r}, got {found[name].source!r} and {source!r}")
        if not _is_path(source) and name not in table_names():
            near = ", ".join(difflib.get_close_matches(name, table_names(), n=3))
            nearest = f"; nearest: {near}" if near else ""
            raise UserError(f"{option}: unknown latency table {name!r}{nearest}; {tables_there_are()}")
        try:
            table = load_table(source)
        except UserError as error:
            raise UserError(f"{option}: {error}") from error
        place = str(Path(source).resolve()) if _is_path(source) else source
        found[name] = TableUse(name, place, table.fingerprint, table.caption, table.dtype)
    return tuple(found[name] for name in sorted(found))


def measured_dtype(option: str, keys: Iterable[str], tables: Iterable[TableUse]) -> str | None:
    """The number format of the tables whose milliseconds are among the quantities ``keys``; None if none are.

    What is searched for by its milliseconds is measured in that format: PSNR in int8 is that of the int8 network.

    Raises:
        UserError: there are tables of two formats.
    """
    wanted = set(keys)
    found = {table.dtype: table.name for table in tables if latency_key(table.name) in wanted}
    if len(found) > 1:
        raise UserError(
            f"{option} must name tables of one number format, in which networks are then measured, got "
            f"{' and '.join(f'{name} ({dtype})' for dtype, name in found.items())}; --latency gives others besides"
        )
    return next(iter(found), None)


@lru_cache(maxsize=64)
def load_used(tables: tuple[TableUse, ...]) -> tuple[LatencyTable, ...]:
    """The tables themselves.

    Raises:
        UserError: one is gone, or holds something else than when the run was made.
    """
    return tuple(_load(use) for use in tables)


def _load(use: TableUse) -> LatencyTable:
    try:
        table = load_table(use.source)
    except UserError as error:
        raise UserError(f"latency table {use.name} of the run cannot be read again: {error}") from error
    if table.fingerprint != use.fingerprint:
        raise UserError(changed(use, table.fingerprint))
    return table


def changed(use: TableUse, fingerprint: str) -> str:
    """What is wrong with a table that is no longer the run's."""
    return f"latency table {use.name} must be the one that the run used, {use.fingerprint}, got {fingerprint}"
