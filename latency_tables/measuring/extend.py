"""A user's own operators, measured into a new table or added to the one that is there."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from latency_tables.lowering.fusion import network_operators
from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.measure import Harness, Measured, Names, measure
from latency_tables.measuring.plan import Plan, bare
from latency_tables.measuring.validate import require_same
from latency_tables.tables.rows import SHAPE, operator_of_cells
from latency_tables.tables.table import load_table, write_table
from space.command_line import parse_size
from space.errors import UserError
from space.named_network import named_network


def own_operators(networks: Sequence[str], size: str | None, file: Path | None) -> tuple[EngineOperator, ...]:
    """The different operators of ``networks`` (at ``size``, else each at its own) and of the rows of ``file``.

    Raises:
        UserError: a network or row that cannot be read; the message gives the line.
    """
    found: dict[EngineOperator, None] = {}
    for name in networks:
        own = named_network(name)
        at = parse_size("--input", size) if size else own.input_size
        own.check_size(at)
        found |= dict.fromkeys(map(bare, network_operators(own.network, own.in_channels, at)))
    if file:
        found |= dict.fromkeys(_rows(file))
    return tuple(found)


def _rows(path: Path) -> list[EngineOperator]:
    if not path.is_file():
        raise UserError(f"--operators must be a CSV file with a table's columns, got {path}, which is no file")
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = [column for column in SHAPE if column not in (reader.fieldnames or ())]
        if missing:
            columns = ", ".join(SHAPE)
            raise UserError(f"{path.name}, line 1: must have the columns {columns}, got no {', '.join(missing)}")
        operators = []
        for row in reader:
            if (row.get("row") or "shape") != "shape":
                continue  # a price of a class, of a table
            try:
                operators.append(operator_of_cells({name: row[name] or "" for name in SHAPE}))
            except ValueError as error:
                raise UserError(f"{path.name}, line {reader.line_num}: {error}") from None
    if not operators:
        raise UserError(f"{path.name}: must have rows of operators, got none")
    return operators


def add_operators(
    harness: Harness,
    operators: Sequence[EngineOperator],
    about: Mapping[str, Any],
    out: Path,
    names: Names,
    progress: Callable[[int], Callable[[str], None]] = lambda total: lambda key: None,
) -> Measured:
    """Time those of ``operators`` that the table ``out`` lacks, and write them into it; without one, make it.

    Their timings are kept in a file of their own, so that the same command continues where it was broken off.

    Raises:
        UserError: the table is of another device, core set, threads or engine; or it lacks none of them.
        ConnectionLostError: the device is gone; the same command continues later.
    """
    if not out.exists():
        return measure(harness, Plan(tuple(operators), ()), about, out, names, progress)
    old = load_table(str(out))
    require_same(old, harness.session.describe().identity)
    lacking = tuple(op for op in operators if op not in old.shapes)
    if not lacking:
        raise UserError(f"--out must lack some of the {len(operators)} operators, got {out.name}, which has them all")
    asked = hashlib.sha256(json.dumps([str(op) for op in operators]).encode()).hexdigest()[:8]
    part = out.with_name(f"{out.stem}.added-{asked}.csv")
    measured = measure(harness, Plan(lacking, ()), about, part, names, progress)
    added = measured.table.provenance
    record = {name: added[name] for name in ("commit", "command", "measured", "begun", "ended", "seconds", "failed")}
    table = replace(
        old,
        shapes={**old.shapes, **measured.table.shapes},
        provenance={**old.provenance, "added": [*old.provenance.get("added", ()), record]},
    )
    write_table(out, table)
    for path in (part, part.with_suffix(".provenance.json"), part.with_suffix(".check.csv")):
        path.unlink(missing_ok=True)
    return replace(measured, table=table)
