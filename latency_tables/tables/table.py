"""A latency table: a CSV file, one row per operator shape or per price of a cost class, and its provenance beside it.

``NAME.csv`` is for people and programs. ``NAME.provenance.json`` says where the figures come from. ``NAME.draws.csv``,
which only fitted tables have, holds bootstrap samples of the prices: errors that prices share cancel in a sum or a
difference, which a column of error bars cannot express.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from latency_tables.lowering.operators import EngineOperator
from latency_tables.tables.rows import COLUMNS, KEY, LARGEST, Row, read_rows, row_cells, shape_cells
from space.errors import UserError
from space.files import write_csv_atomically, write_text_atomically
from space.text_files import csv_rows, json_object, read_file

DATA = Path(__file__).parents[1] / "data"
PROVENANCE_KEYS = ("repository", "commit", "licence", "conversion")
HELD_OUT = ("lofo_mape", "lomo_mape", "reference_lofo_mape", "reference_lomo_mape", "spearman", "coverage_90")
LARGEST_FIGURE = 1e9  # of the provenance's errors: beyond it sums overflow
DEPENDED_ON = ("residual", "version_spread")  # what of the provenance a prediction depends on
TRAFFIC = "traffic"  # class whose price per M elements bounds what has no row of its own


@dataclass(frozen=True)
class LatencyTable:
    """What operators cost on one core set of one device, with one engine and dtype.

    ``shapes`` prices single operators, ``classes`` (class name and term) whole classes of them. ``samples`` has a row
    per entry of ``classes``, in its order, and a column per bootstrap sample.
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
    samples: np.ndarray
    provenance: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""  # of all that a prediction depends on

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
        if not _is_there(path):
            raise UserError(f"latency table must be a CSV file or one of {_known()}, got {name!r}, which is no file")
    else:
        path = DATA / f"{name}.csv"
        if name not in table_names():
            raise UserError(f"unknown latency table {name!r}; known: {_known()}, or the path of a CSV file")
    stamp = tuple(part.stat().st_mtime_ns for part in (path, *_beside(path)) if _is_there(part))
    return _load(path, stamp)


def _is_there(path: Path) -> bool:
    """Whether there is something called so; a name that no file can have is none."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _known() -> str:
    return ", ".join(table_names())


def _beside(path: Path) -> tuple[Path, Path]:
    return path.with_suffix(".provenance.json"), path.with_suffix(".draws.csv")


@lru_cache(maxsize=64)
def _load(path: Path, stamp: tuple[int, ...]) -> LatencyTable:
    provenance_file, samples_file = _beside(path)
    if not _is_there(provenance_file):
        raise UserError(f"{path.name} must have its provenance beside it, got no {provenance_file.name}")
    content = read_file(path, "latency table")
    digest = hashlib.sha256(content)
    provenance = _read_provenance(provenance_file)
    for entry in DEPENDED_ON:
        if entry in provenance:
            digest.update(str(provenance[entry]).encode())
    key, shapes, classes = read_rows(path.name, content)
    samples = np.zeros((len(classes), 0))
    if _is_there(samples_file):
        drawn = read_file(samples_file, "bootstrap samples of a latency table")
        digest.update(drawn)
        samples = _read_samples(samples_file.name, drawn, tuple(classes))
    return LatencyTable(
        path.name.removesuffix(".csv"),
        **key,
        shapes=shapes,
        classes=classes,
        samples=samples,
        provenance=provenance,
        fingerprint=digest.hexdigest()[:12],
    )


def _read_provenance(path: Path) -> dict[str, Any]:
    provenance = dict(json_object(path.name, read_file(path, "provenance"), PROVENANCE_KEYS))
    held_out = provenance.get("held_out") or {}
    if not isinstance(held_out, dict):
        raise UserError(f"{path.name}: held_out must hold figures by name, got {held_out!r}")
    numbers = {"residual": provenance.get("residual", 0.0)}
    numbers |= {f"held_out {name}": held_out[name] for name in HELD_OUT if name in held_out}
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= LARGEST_FIGURE:
            raise UserError(f"{path.name}: {name} must be a number of at most {LARGEST_FIGURE:g}, got {value!r}")
    if numbers["residual"] < 0:
        raise UserError(f"{path.name}: residual must be at least 0, got {numbers['residual']!r}")
    return provenance


def _read_samples(name: str, content: bytes, entries: tuple[tuple[str, str], ...]) -> np.ndarray:
    rows = [fields for _, fields in csv_rows(name, content)]
    if tuple(tuple(row[:2]) for row in rows[1:]) != entries:
        raise UserError(f"{name} must have one line per class row of its table, in the same order")
    try:
        samples = np.array([row[2:] for row in rows[1:]], dtype=float).reshape(len(entries), -1)
    except ValueError:
        samples = np.array([math.nan])
    if not (np.isfinite(samples).all() and (samples >= 0).all() and (samples <= LARGEST["latency_ms"]).all()):
        raise UserError(
            f"{name} must hold finite numbers from 0 to {LARGEST['latency_ms']:g}, equally many in each line"
        )
    return samples


def write_table(path: Path, table: LatencyTable) -> None:
    """Write ``table`` as ``path`` and its files beside it; what is written loads as an equal table.

    The files are written under other names, read, and then take the place of those that were there: a table that could
    not be read is never left behind.

    Raises:
        UserError: the table breaks a rule of its rows; the files are as they were.
    """
    provenance_file, samples_file = _beside(path)
    with TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as folder:
        trial = Path(folder) / path.name
        _write(trial, table)
        _load.__wrapped__(trial, ())
        for written, wanted in zip((trial, *_beside(trial)), (path, provenance_file, samples_file), strict=True):
            if written.exists():
                written.replace(wanted)
    if not table.samples.size:
        samples_file.unlink(missing_ok=True)


def _write(path: Path, table: LatencyTable) -> None:
    key = {column: getattr(table, column) for column in KEY}
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    for operator, row in table.shapes.items():
        writer.writerow({**key, "row": "shape", **shape_cells(operator), "per": "call", **row_cells(row)})
    for (kind, term), row in table.classes.items():
        writer.writerow({**key, "row": "class", "kind": kind, "per": term, **row_cells(row)})
    write_text_atomically(path, text.getvalue())
    provenance_file, samples_file = _beside(path)
    write_text_atomically(provenance_file, json.dumps(dict(table.provenance), indent=1, ensure_ascii=False) + "\n")
    if table.samples.size:
        rows: list[tuple[str, ...]] = [("kind", "per", *(f"d{number}" for number in range(table.samples.shape[1])))]
        for entry, samples in zip(table.classes, table.samples, strict=True):
            rows.append((*entry, *(f"{value:.5g}" for value in samples)))
        write_csv_atomically(samples_file, rows)
