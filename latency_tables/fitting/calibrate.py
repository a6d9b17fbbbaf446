"""A table for a board on which only a few whole networks were timed, from the table of a well-measured core.

Five timings determine one scale. From ten on, every price may change, regularised towards the scaled one, if that
predicts held-out timings better than the scale does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from latency_tables.fitting.fit import SEED, TOWARDS_COMMON, fit_prices
from latency_tables.fitting.timings import Timings
from latency_tables.lowering.operators import TRAFFIC_KINDS, EngineOperator
from latency_tables.tables.classes import TERMS, cost_class
from latency_tables.tables.estimate import estimate, residual
from latency_tables.tables.relatives import Z90
from latency_tables.tables.rows import KEY, Row
from latency_tables.tables.table import TRAFFIC, LatencyTable
from space.errors import UserError

LEAST_TIMINGS = 5
# Of the old table's provenance: what was found of its own fit, and what the timings, of one version, settle.
NOT_INHERITED = ("residual", "held_out", "version_spread")
LEAST_FOR_REFIT = 10
LEAST_SHARE = 0.25  # of its scaled price: a few timings of whole networks cannot show that an operator is free


@dataclass(frozen=True)
class Calibration:
    """The new ``table``. ``errors`` are relative, each network predicted by a calibration without its timing."""

    table: LatencyTable
    method: str  # "scale" or "refit"
    scale: float
    errors: np.ndarray

    @property
    def mape(self) -> float:
        """Leave-one-out mean absolute percentage error of the calibration itself."""
        return float(100 * np.abs(self.errors).mean())


@dataclass(frozen=True)
class _Solution:
    factors: np.ndarray
    predicted_ms: np.ndarray


# From measured milliseconds and the positions of those that may be used.
_Solve = Callable[[np.ndarray, np.ndarray], _Solution]


def calibrate(table: LatencyTable, timings: Timings, name: str) -> Calibration:
    """``table`` calibrated to the device of ``timings``.

    Raises:
        UserError: too few timings, another dtype, or an operator that ``table`` cannot price.
    """
    number = len(timings.latency_ms)
    if number < LEAST_TIMINGS:
        raise UserError(f"timings must be of at least {LEAST_TIMINGS} networks, got {number}; time more of them")
    if timings.key["dtype"] != table.dtype:
        raise UserError(
            f"dtype of the timings must be {table.dtype}, as in table {table.name}, got {timings.key['dtype']!r}; "
            "choose a table of their dtype"
        )
    measured = np.array(timings.latency_ms)
    methods = {"scale": _only_scale(np.array([[estimate(table, ops).ms] for ops in timings.operators]))}
    if number >= LEAST_FOR_REFIT and not table.shapes:
        methods["refit"] = _refit(_shares(table, timings))
    errors = {method: _left_out(solve, measured) for method, solve in methods.items()}
    best = min(methods, key=lambda method: float(np.abs(errors[method]).mean()))
    solve = methods[best]
    factors = solve(measured, np.arange(number)).factors
    scale = methods["scale"](measured, np.arange(number)).factors[0]
    moved = _moved(table, timings, name, factors if best == "refit" else None, scale, errors[best])
    calibration = Calibration(moved, best, float(scale), errors[best])
    return replace(calibration, table=replace(moved, provenance=_provenance(table, timings, calibration)))


def _only_scale(predicted: np.ndarray) -> _Solve:
    """``predicted`` (networks, 1): milliseconds on the old table."""

    def solve(measured: np.ndarray, kept: np.ndarray) -> _Solution:
        ratio = predicted[kept, 0] / measured[kept]
        scale = ratio.sum() / (ratio @ ratio)
        return _Solution(np.array([scale]), scale * predicted[:, 0])

    return solve


def _refit(shares: np.ndarray) -> _Solve:
    """``shares`` (networks, groups of rows): milliseconds of each on the old table."""
    whole = _only_scale(shares.sum(axis=1, keepdims=True))

    def solve(measured: np.ndarray, kept: np.ndarray) -> _Solution:
        guess = np.full(shares.shape[1], whole(measured, kept).factors[0])
        factors = fit_prices(shares[kept], measured[kept], LEAST_SHARE * guess, guess, TOWARDS_COMMON)
        return _Solution(factors, shares @ factors)

    return solve


def _left_out(solve: _Solve, measured: np.ndarray) -> np.ndarray:
    everything = np.arange(len(measured))
    predicted = [solve(measured, np.delete(everything, index)).predicted_ms[index] for index in everything]
    return np.array(predicted) / measured - 1


def _groups(table: LatencyTable) -> list[int]:
    """Of each class row the group that moves together: rows of one term and one price, which one fit has made equal."""
    numbers: dict[tuple[str, float], int] = {}
    return [numbers.setdefault((term, row.latency_ms), len(numbers)) for (_, term), row in table.classes.items()]


def _shares(table: LatencyTable, timings: Timings) -> np.ndarray:
    groups, rows = _groups(table), list(table.classes.items())
    by_class: dict[str, list[int]] = {}
    for index, ((kind, _), _) in enumerate(rows):
        by_class.setdefault(kind, []).append(index)
    shares = np.zeros((len(timings.operators), max(groups) + 1))
    for network, operators in enumerate(timings.operators):
        for op in operators:
            for index in by_class[_priced_as(op, by_class)]:
                (_, term), row = rows[index]
                shares[network, groups[index]] += TERMS[term](op) * row.latency_ms
    return shares


def _priced_as(op: EngineOperator, known: dict[str, list[int]]) -> str:
    name = cost_class(op)
    return TRAFFIC if name not in known and op.kind in TRAFFIC_KINDS else name


def _moved(
    table: LatencyTable, timings: Timings, name: str, factors: np.ndarray | None, scale: float, errors: np.ndarray
) -> LatencyTable:
    spread = float(np.sqrt(np.mean(np.log1p(errors) ** 2)))
    if factors is None:
        by_row = np.full(len(table.classes), scale)
    else:
        by_row = factors[_groups(table)]
    more = Z90 * spread
    said = f"; calibrated by {len(errors)} timings on {timings.key['device']}"

    def row(old: Row, factor: float) -> Row:
        error = float(f"{np.hypot(old.relative_error, more):.2g}")
        return Row(float(f"{old.latency_ms * factor:.4g}"), old.origin, error, old.source + said)

    doubt = np.random.default_rng(SEED).standard_normal(table.samples.shape[1]) * spread / np.sqrt(len(errors))
    key: dict[str, Any] = {column: timings.key[column] for column in KEY}
    key["threads"] = int(key["threads"])
    return LatencyTable(
        name=name,
        **key,
        shapes={op: row(old, scale) for op, old in table.shapes.items()},
        classes={entry: row(old, factor) for (entry, old), factor in zip(table.classes.items(), by_row, strict=True)},
        samples=table.samples * by_row[:, None] * np.exp(doubt),
        provenance={"residual": max(residual(table), spread)},
    )


def _provenance(table: LatencyTable, timings: Timings, calibration: Calibration) -> dict[str, object]:
    inherited = {name: value for name, value in table.provenance.items() if name not in NOT_INHERITED}
    return {
        **inherited,
        "conversion": f"{inherited['conversion']}; then calibrated: table {table.name} ({table.caption}) moved to "
        f"{timings.key['device']} by `python -m latency_tables calibrate`",
        "residual": round(float(calibration.table.provenance["residual"]), 4),
        "held_out": {"calibration_mape": round(calibration.mape, 2)},
        "calibration": {
            "from_table": table.name,
            "from_fingerprint": table.fingerprint,
            "method": calibration.method,
            "scale": round(calibration.scale, 4),
            "timings": [
                {"network": network, "input": size, "latency_ms": ms}
                for network, size, ms in zip(timings.names, timings.inputs, timings.latency_ms, strict=True)
            ],
        },
    }
