"""The rows of a latency table's CSV file: what a column may hold, and where a file breaks the rule."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from latency_tables.lowering.operators import KINDS, EngineOperator, text
from latency_tables.tables.classes import TERMS
from space.errors import UserError
from space.text_files import csv_table

KEY = ("device", "soc", "core", "threads", "dtype", "engine", "engine_version")
SHAPE = (
    "kind",
    "function",
    "kernel",
    "stride",
    "dilation",
    "groups",
    "factor",  # "3x3" is height x width
    "in_channels",
    "out_channels",
    "height",
    "width",
    "read_elements",
)
COLUMNS = (
    *KEY,  # the same in every row
    "row",  # "shape": one operator; "class": one price of a cost class
    *SHAPE,  # of a class only ``kind``, its name (latency_tables.tables.classes)
    "latency_ms",
    "per",  # of a shape per "call"; of a class per unit of a term of latency_tables.tables.classes
    "origin",
    "relative_error",
    "source",
)
ORIGINS = ("measured", "interpolated", "fitted", "extrapolated", "traffic-estimate")  # best first
ROW_ORIGINS = ("measured", "fitted", "traffic-estimate")
LARGEST = {"latency_ms": 1e9, "relative_error": 1e6}
"""Eleven days: beyond it is no latency, and sums over a network would overflow."""
MOST_THREADS = 1024
_PAIRS = ("kernel", "stride", "dilation")
_COUNT = re.compile("0*[1-9][0-9]{0,14}")  # what float64 holds exactly


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: milliseconds per call of a shape, or per unit of a term; ``relative_error`` is half its 90 % band."""

    latency_ms: float
    origin: str
    relative_error: float
    source: str


def read_rows(
    name: str, content: bytes
) -> tuple[dict[str, Any], dict[EngineOperator, Row], dict[tuple[str, str], Row]]:
    """Key, shapes and class prices from the content of the file called ``name``.

    Raises:
        UserError: a line breaks a rule; the message gives its number, the rule and the value.
    """
    key: tuple[str, ...] | None = None
    shapes: dict[EngineOperator, Row] = {}
    classes: dict[tuple[str, str], Row] = {}
    first_line: dict[Any, int] = {}
    for line, cells in csv_table(name, content, COLUMNS):
        try:
            own_key = tuple(cells[column] for column in KEY)
            if "" in own_key:
                raise ValueError(f"{KEY[own_key.index('')]} must not be empty")
            key = key or read_key(cells)
            if own_key != key:
                raise ValueError(f"must be of {' '.join(key)} as the first row is, got {' '.join(own_key)}")
            row = _row(cells)
            entry: Any
            store: dict[Any, Row]
            if cells["row"] == "shape":
                entry, store = operator_of_cells(cells), shapes
            elif cells["row"] == "class":
                entry, store = (_text("kind", cells), _one_of("per", cells, tuple(TERMS))), classes
            else:
                raise ValueError(f"row must be shape or class, got {cells['row']!r}")
            if entry in store:
                raise ValueError(f"must not repeat line {first_line[entry]}")
        except ValueError as error:
            raise UserError(f"{name}, line {line}: {error}") from None
        store[entry], first_line[entry] = row, line
    if key is None:
        raise UserError(f"{name}: must have rows, got only a header")
    return {**dict(zip(KEY, key, strict=True)), "threads": int(key[KEY.index("threads")])}, shapes, classes


def read_key(cells: Mapping[str, str]) -> tuple[str, ...]:
    """What the first row says of device, core, threads, dtype and engine.

    Raises:
        ValueError: a column is empty, or ``threads`` is no number of threads.
    """
    for column in KEY:
        _text(column, cells)
    if _count("threads", cells) > MOST_THREADS:
        raise ValueError(f"threads must be at most {MOST_THREADS}, got {cells['threads']!r}")
    return tuple(cells[column] for column in KEY)


def _row(cells: Mapping[str, str]) -> Row:
    if cells["row"] == "shape" and cells["per"] != "call":
        raise ValueError(f"per of a shape must be call, got {cells['per']!r}")
    if cells["row"] == "shape" and _number("latency_ms", cells) == 0:
        raise ValueError("latency_ms of a shape must be above 0, got 0")
    return Row(
        _number("latency_ms", cells),
        _one_of("origin", cells, ROW_ORIGINS),
        _number("relative_error", cells),
        _text("source", cells),
    )


def operator_of_cells(cells: Mapping[str, str]) -> EngineOperator:
    """The inverse of ``shape_cells``. Raises: ValueError: a cell breaks its column's rule."""
    values: dict[str, Any] = {"kind": _one_of("kind", cells, KINDS), "function": cells["function"]}
    for column in SHAPE[2:]:
        values[column] = _window(column, cells) if column in _PAIRS else _count(column, cells)
    return EngineOperator(**values)


def _number(column: str, cells: Mapping[str, str]) -> float:
    try:
        value = float(cells[column])
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{column} must be a finite number of at least 0, got {cells[column]!r}")
    if value > LARGEST[column]:
        raise ValueError(f"{column} must be at most {LARGEST[column]:g}, got {cells[column]!r}")
    return value


def _count(column: str, cells: Mapping[str, str]) -> int:
    if not _COUNT.fullmatch(cells[column]):
        raise ValueError(f"{column} must be a whole number of at least 1, got {cells[column]!r}")
    return int(cells[column])


def _window(column: str, cells: Mapping[str, str]) -> tuple[int, int]:
    sides = cells[column].split("x")
    if len(sides) != 2 or not all(map(_COUNT.fullmatch, sides)):
        raise ValueError(f"{column} must be HEIGHTxWIDTH such as 3x3, got {cells[column]!r}")
    return int(sides[0]), int(sides[1])


def _text(column: str, cells: Mapping[str, str]) -> str:
    if not cells[column].strip():
        raise ValueError(f"{column} must not be empty")
    return cells[column]


def _one_of(column: str, cells: Mapping[str, str], allowed: tuple[str, ...]) -> str:
    if cells[column] not in allowed:
        raise ValueError(f"{column} must be one of {', '.join(allowed)}, got {cells[column]!r}")
    return cells[column]


def shape_cells(operator: EngineOperator) -> dict[str, str]:
    """The columns that say which operator a shape row prices."""
    cells = {name: getattr(operator, name) for name in SHAPE}
    return {**cells, **{name: text(cells[name]) for name in _PAIRS}}


def row_cells(row: Row) -> dict[str, str]:
    """The columns of a row's figure."""
    values = {name.name: getattr(row, name.name) for name in fields(Row)}
    return {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in values.items()}
