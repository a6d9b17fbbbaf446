"""A latency table: a CSV file, one row per operator shape or per price of a cost class, and its provenance beside it.

``NAME.csv`` is for people and programs. ``NAME.provenance.json`` says where the figures come from. ``NAME.draws.csv``,
of fitted tables, repeats the prices as fitted to resampled measurements: prices that are uncertain together cancel in
a sum or a difference, which no column of error bars can say.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from latency_tables.classes import TERMS
from latency_tables.operators import KINDS, EngineOperator, text
from space.errors import UserError

DATA = Path(__file__).parent / "data"
KEY = ("device", "soc", "core", "threads", "dtype", "engine", "engine_version")
SHAPE = (
    "kind", "function", "kernel", "stride", "dilation", "groups", "factor",    # "3x3" is height x width
    "in_channels", "out_channels", "height", "width", "read_elements",
)  # fmt: skip
COLUMNS = (
    *KEY,                       # the same in every row
    "row",                      # "shape": one operator; "class": one price of a cost class
    *SHAPE,                     # of a class only ``kind``, its name (latency_tables.classes)
    "latency_ms", "per",        # of a shape per "call"; of a class per unit of a term of latency_tables.classes
    "origin", "relative_error", "source",
)  # fmt: skip
ORIGINS = ("measured", "interpolated", "fitted", "extrapolated", "traffic-estimate")    # best first
ROW_ORIGINS = ("measured", "fitted", "traffic-estimate")
PROVENANCE_KEYS = ("repository", "commit", "licence", "conversion")
TRAFFIC = "traffic"  # class whose price per M elements bounds what has no row of its own
_PAIRS = ("kernel", "stride", "dilation")


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: milliseconds per call of a shape, or per unit of a term; ``relative_error`` is half its 90 % band."""

    latency_ms: float
    origin: str
    relative_error: float
    source: str


@dataclass(frozen=True)
class LatencyTable:
    """What operators cost on one core set of one device, with one engine and dtype.

    ``shapes`` prices single operators, ``classes`` (class name and term) whole classes of them. ``draws`` has a row per
    entry of ``classes``, in its order, and a column per resampled fit.
    """

    name: str
    device: str
    soc: str
    core: str
    threads: int
    dtype: str
    engine: str
    engine_version: str
    shapes: Mapping[EngineOperator, Row]
    classes: Mapping[tuple[str, str], Row]
    draws: np.ndarray
    provenance: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""  # of the files' content

    @property
    def caption(self) -> str:
        """What must stand beside milliseconds: ``Google Pixel 4, Cortex-A76, 1 thread, fp32, TensorFlow Lite 2.10``."""
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        return f"{self.device}, {self.core}, {threads}, {self.dtype}, {self.engine} {self.engine_version}"


def table_names() -> tuple[str, ...]:
    """The tables that ship, in alphabetical order."""
    return tuple(sorted(path.name.removesuffix(".csv") for path in DATA.glob("*.csv") if path.name.count(".") == 1))


def load_table(name: str) -> LatencyTable:
    """The shipped table called ``name``, or the one in the file ``name`` (a path ending in .csv).

    Raises:
        UserError: there is none, its provenance is missing, or a row breaks a rule; the message gives the line.
    """
    if name.endswith(".csv"):
        path = Path(name)
        if not path.is_file():
            raise UserError(f"latency table must be a CSV file or one of {_known()}, got {name!r}, which is no file")
    else:
        path = DATA / f"{name}.csv"
        if name not in table_names():
            raise UserError(f"unknown latency table {name!r}; known: {_known()}, or the path of a CSV file")
    stamp = tuple(part.stat().st_mtime_ns for part in (path, *_beside(path)) if part.exists())
    return _load(path, stamp)


def _known() -> str:
    return ", ".join(table_names())


def _beside(path: Path) -> tuple[Path, Path]:
    return path.with_suffix(".provenance.json"), path.with_suffix(".draws.csv")


@lru_cache(maxsize=64)
def _load(path: Path, stamp: tuple[int, ...]) -> LatencyTable:
    provenance_file, draws_file = _beside(path)
    if not provenance_file.is_file():
        raise UserError(f"{path.name} must have its provenance beside it, got no {provenance_file.name}")
    content = path.read_bytes()
    digest = hashlib.sha256(content)
    provenance = _read_provenance(provenance_file)
    digest.update(provenance_file.read_bytes())
    key, shapes, classes = _read_rows(path.name, content.decode("utf-8").splitlines())
    draws = np.zeros((len(classes), 0))
    if draws_file.is_file():
        digest.update(draws_file.read_bytes())
        draws = _read_draws(draws_file, tuple(classes))
    return LatencyTable(
        path.name.removesuffix(".csv"), **key, shapes=shapes, classes=classes, draws=draws, provenance=provenance,
        fingerprint=digest.hexdigest()[:12],
    )  # fmt: skip


def _read_provenance(path: Path) -> dict[str, Any]:
    try:
        provenance = json.loads(path.read_text("utf-8"))
        missing = [key for key in PROVENANCE_KEYS if not provenance.get(key)]
    except (ValueError, AttributeError):
        raise UserError(f"{path.name} must be a JSON object with {', '.join(PROVENANCE_KEYS)}") from None
    if missing:
        raise UserError(f"{path.name} must say {', '.join(PROVENANCE_KEYS)}, got no {', '.join(missing)}")
    return provenance


def _read_rows(
    name: str, lines: list[str]
) -> tuple[dict[str, Any], dict[EngineOperator, Row], dict[tuple[str, str], Row]]:
    reader = csv.reader(lines)
    header = next(reader, [])
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise UserError(f"{name}, line 1: must have the columns {', '.join(COLUMNS)}, got no {', '.join(missing)}")
    key: tuple[str, ...] | None = None
    shapes: dict[EngineOperator, Row] = {}
    classes: dict[tuple[str, str], Row] = {}
    first_line: dict[Any, int] = {}
    for values in reader:
        if not values:
            continue
        line = reader.line_num
        if len(values) != len(header):
            raise UserError(f"{name}, line {line}: must have {len(header)} fields, got {len(values)}")
        cells = dict(zip(header, values, strict=True))
        try:
            own_key = tuple(cells[column] for column in KEY)
            if "" in own_key:
                raise ValueError(f"{KEY[own_key.index('')]} must not be empty")
            key = key or own_key
            if own_key != key:
                raise ValueError(f"must be of {' '.join(key)} as the first row is, got {' '.join(own_key)}")
            row = _row(cells)
            if cells["row"] == "shape":
                entry, store = _operator(cells), shapes
            elif cells["row"] == "class":
                entry, store = (_word("kind", cells), _one_of("per", cells, tuple(TERMS))), classes
            else:
                raise ValueError(f"row must be shape or class, got {cells['row']!r}")
            if entry in store:
                raise ValueError(f"must not repeat line {first_line[entry]}")
        except ValueError as error:
            raise UserError(f"{name}, line {line}: {error}") from None
        store[entry], first_line[entry] = row, line
    if key is None:
        raise UserError(f"{name}: must have rows, got only a header")
    described = dict(zip(KEY, key, strict=True))
    try:
        described["threads"] = _count("threads", described)
    except ValueError as error:
        raise UserError(f"{name}: {error}") from None
    return described, shapes, classes


def _row(cells: Mapping[str, str]) -> Row:
    if cells["row"] == "shape" and cells["per"] != "call":
        raise ValueError(f"per of a shape must be call, got {cells['per']!r}")
    if cells["row"] == "shape" and _number("latency_ms", cells) == 0:
        raise ValueError("latency_ms of a shape must be above 0, got 0")
    return Row(
        _number("latency_ms", cells),
        _one_of("origin", cells, ROW_ORIGINS),
        _number("relative_error", cells),
        _word("source", cells),
    )


def _operator(cells: Mapping[str, str]) -> EngineOperator:
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
    return value


def _count(column: str, cells: Mapping[str, str]) -> int:
    if not cells[column].isdecimal() or int(cells[column]) < 1:
        raise ValueError(f"{column} must be a whole number of at least 1, got {cells[column]!r}")
    return int(cells[column])


def _window(column: str, cells: Mapping[str, str]) -> tuple[int, int]:
    sides = cells[column].split("x")
    if len(sides) != 2 or not all(side.isdecimal() and int(side) > 0 for side in sides):
        raise ValueError(f"{column} must be HEIGHTxWIDTH such as 3x3, got {cells[column]!r}")
    return int(sides[0]), int(sides[1])


def _word(column: str, cells: Mapping[str, str]) -> str:
    if not cells[column].strip():
        raise ValueError(f"{column} must not be empty")
    return cells[column]


def _one_of(column: str, cells: Mapping[str, str], allowed: tuple[str, ...]) -> str:
    if cells[column] not in allowed:
        raise ValueError(f"{column} must be one of {', '.join(allowed)}, got {cells[column]!r}")
    return cells[column]


def _read_draws(path: Path, entries: tuple[tuple[str, str], ...]) -> np.ndarray:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    if tuple((row[0], row[1]) for row in rows[1:]) != entries:
        raise UserError(f"{path.name} must have one line per class row of its table, in the same order")
    try:
        draws = np.array([row[2:] for row in rows[1:]], dtype=float)
    except ValueError:
        draws = np.array([math.nan])
    if not (np.isfinite(draws).all() and (draws >= 0).all()):
        raise UserError(f"{path.name} must hold finite numbers of at least 0, equally many in each line")
    return draws


def write_table(path: Path, table: LatencyTable) -> None:
    """Write ``table`` as ``path`` and its files beside it; what is written loads as an equal table."""
    key = {column: getattr(table, column) for column in KEY}
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        for operator, row in table.shapes.items():
            shape = {name: getattr(operator, name) for name in SHAPE}
            shape.update({name: text(shape[name]) for name in _PAIRS})
            writer.writerow({**key, "row": "shape", **shape, "per": "call", **_cells(row)})
        for (kind, term), row in table.classes.items():
            writer.writerow({**key, "row": "class", "kind": kind, "per": term, **_cells(row)})
    provenance_file, draws_file = _beside(path)
    provenance_file.write_text(json.dumps(dict(table.provenance), indent=1, ensure_ascii=False) + "\n", "utf-8")
    if table.draws.size:
        with draws_file.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("kind", "per", *(f"d{number}" for number in range(table.draws.shape[1]))))
            for entry, draws in zip(table.classes, table.draws, strict=True):
                writer.writerow((*entry, *(f"{value:.5g}" for value in draws)))
    else:
        draws_file.unlink(missing_ok=True)


def _cells(row: Row) -> dict[str, str]:
    values = {name.name: getattr(row, name.name) for name in fields(Row)}
    return {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in values.items()}
