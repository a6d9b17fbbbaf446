"""Whole-network timings of one board, from a CSV file that a person wrote."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from latency_tables.fitting.networks import INPUT_SIZE, networks
from latency_tables.lowering.fusion import network_operators
from latency_tables.lowering.operators import EngineOperator
from latency_tables.tables.rows import KEY, LARGEST, read_key
from space.command_line import parse_size
from space.errors import UserError
from space.named_network import named_network
from space.text_files import csv_table, read_file

SMALLEST_MS = 1e-6  # a nanosecond: below it is no latency, and prices would be written as 0
COLUMNS = ("network", "input", "latency_ms", *KEY)


@dataclass(frozen=True)
class Timings:
    """``latency_ms[i]`` is how long ``names[i]`` (at ``inputs[i]``, WIDTHxHEIGHT) took; ``key`` says on what."""

    key: Mapping[str, str]
    names: tuple[str, ...]
    inputs: tuple[str, ...]
    latency_ms: tuple[float, ...]
    operators: tuple[tuple[EngineOperator, ...], ...]


def read_timings(path: Path) -> Timings:
    """The timings in ``path``, a CSV file with COLUMNS; an empty ``input`` is the network's own.

    ``network`` names a published classification network (latency_tables/fitting), a network of the zoo, or FILE.pt2;
    never MODULE:FACTORY, since reading a file must not run code.

    Raises:
        UserError: with the line number, if a value is missing, no positive number, repeated, or of another device.
    """
    rows = csv_table(path.name, read_file(path, "--from"), COLUMNS)
    if not rows:
        raise UserError(f"{path.name}: must have timings, got only a header")
    key = {column: rows[0][1][column] for column in KEY}
    first_line: dict[tuple[str, str], int] = {}
    latencies, operators = [], []
    for line, row in rows:
        try:
            latencies.append(_latency_ms(row))
            _check_key(key, row)
            read_key(row)
            size, listed = _operators(row["network"], row["input"])
        except ValueError as error:
            raise UserError(f"{path.name}, line {line}: {error}") from None
        entry = (row["network"], size)
        if entry in first_line:
            raise UserError(f"{path.name}, line {line}: must not repeat line {first_line[entry]}, {' at '.join(entry)}")
        first_line[entry] = line
        operators.append(listed)
    names, inputs = zip(*first_line, strict=True)
    return Timings(key, names, inputs, tuple(latencies), tuple(operators))


def _latency_ms(row: Mapping[str, str]) -> float:
    try:
        value = float(row["latency_ms"])
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise UserError(f"latency_ms must be a finite number above 0, got {row['latency_ms']!r}")
    if not SMALLEST_MS <= value <= LARGEST["latency_ms"]:
        raise UserError(
            f"latency_ms must be from {SMALLEST_MS:g} to {LARGEST['latency_ms']:g}, got {row['latency_ms']!r}"
        )
    return value


def _check_key(key: Mapping[str, str], row: Mapping[str, str]) -> None:
    for column in KEY:
        if not row[column]:
            raise UserError(f"{column} must not be empty")
        if row[column] != key[column]:
            raise UserError(
                f"{column} must be {key[column]!r} as in the first row, got {row[column]!r}; one file is one device"
            )


def _operators(name: str, size: str) -> tuple[str, tuple[EngineOperator, ...]]:
    """(input size as WIDTHxHEIGHT, operators) of a network."""
    published = networks()
    if name in published:
        own = f"{INPUT_SIZE}x{INPUT_SIZE}"
        if size not in ("", own):
            raise UserError(f"input of the published network {name} must be {own}, got {size!r}")
        return own, published[name]
    found = named_network(name, may_run_code=False)
    width, height = parse_size("input", size) if size else found.input_size
    found.check_size((width, height))
    more = found.more_inputs([(width, height)])
    return f"{width}x{height}", network_operators(found.network, found.in_channels, (width, height), more)
