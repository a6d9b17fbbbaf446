"""What one operator costs on a table: measured, interpolated, extrapolated, by its class, or bounded by its bytes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import median

import numpy as np

from latency_tables.lowering.operators import TRAFFIC_KINDS, EngineOperator, text
from latency_tables.tables.classes import TERMS, beyond_seen, cost_class, is_pixelwise
from latency_tables.tables.grid import OperationGrid
from latency_tables.tables.relatives import Z90, Relatives
from latency_tables.tables.rows import ORIGINS
from latency_tables.tables.table import TRAFFIC, LatencyTable

INTERPOLATION_ERROR = 0.05  # half the 90 % band of a shape between measured ones
EXTRAPOLATION_ERROR = 0.20  # outside them, growing with the distance
OTHER_OPERATION = 2.0  # how far apart two kernels, strides or factors count at least
TRAFFIC_ERROR = 1.0
SAID_DISTANCE = 1.05


@dataclass(frozen=True, slots=True)
class Price:
    """Milliseconds of one call.

    ``samples`` are its bootstrap samples (empty for a shape), ``own_error`` is the standard deviation in milliseconds
    that this shape shares with no other, ``distance`` how many times outside the measured range it lies, 1 within.
    """

    kind: str
    ms: float
    origin: str
    own_error: float
    samples: np.ndarray
    distance: float = 1.0

    @property
    def origin_text(self) -> str:
        """``extrapolated, 11 times outside``: how far where it is outside."""
        return f"{self.origin}, {self.distance:.2g} times outside" if self.distance > SAID_DISTANCE else self.origin


def _extrapolation_error(distance: float) -> float:
    """Half the relative 90 % band of an operator that is ``distance`` times outside of what was measured."""
    return EXTRAPOLATION_ERROR * (1 + math.log2(distance))


def kind_label(op: EngineOperator) -> str:
    """The label of a share: ``conv 3x3``, ``conv 1x1``, ``activation prelu``."""
    if op.kind.endswith("conv"):
        return f"{op.kind} {text(op.kernel)}"
    return " ".join(filter(None, (op.kind, op.function)))


def is_convolution(label: str) -> bool:
    """Whether ``label``, of ``kind_label``, is that of a convolution of any kind."""
    return label.partition(" ")[0].endswith("conv")


class Pricer:
    """A table prepared for pricing many operators."""

    def __init__(self, table: LatencyTable) -> None:
        self._table = table
        operations: dict[tuple[object, ...], dict[EngineOperator, float]] = {}
        for op, row in table.shapes.items():
            operations.setdefault(op.operation, {})[op] = row.latency_ms
        self._by_operation = operations
        self._relatives = Relatives({op: row.latency_ms for op, row in table.shapes.items()})
        self._grids: dict[tuple[object, ...], OperationGrid] = {}
        self._known: dict[EngineOperator, Price | None] = {}
        self._rows: dict[str, list[tuple[int, str]]] = {}
        for index, (kind, term) in enumerate(table.classes):
            self._rows.setdefault(kind, []).append((index, term))
        self._class_rows = tuple(table.classes.values())
        self._traffic_ms = self._measured_traffic()

    def price(self, op: EngineOperator) -> Price | None:
        if op not in self._known:
            self._known[op] = self._product(op) if is_pixelwise(op) else self._anything(op)
        return self._known[op]

    def _anything(self, op: EngineOperator) -> Price | None:
        return (
            self._interpolated(op)
            or self._from_class(op, cost_class(op))
            or self._from_relatives(op)
            or self._from_traffic(op)
        )

    def _product(self, op: EngineOperator) -> Price | None:
        """A matrix product at many pixels is the 1x1 convolution that computes the same; it costs no less than at one,
        where the weights' way from memory is all that counts."""
        one = self.price(replace(op, height=1, width=1, read_elements=op.in_channels))
        found = (
            self._anything(replace(op, kind="conv"))
            if op.operation not in self._by_operation
            else self._interpolated(op)
        )
        dearer = max((each for each in (found, one) if each), key=lambda each: each.ms, default=None)
        return dearer and replace(dearer, kind=kind_label(op))

    def _interpolated(self, op: EngineOperator) -> Price | None:
        if op.operation not in self._by_operation:
            return None
        if op.operation not in self._grids:
            related = self._relatives.fit(op)
            self._grids[op.operation] = OperationGrid(self._by_operation[op.operation], related.ms if related else None)
        ms, origin, distance = self._grids[op.operation].at(op)
        row = self._table.shapes.get(op)
        if row is not None:
            relative, origin = math.hypot(row.relative_error, 1 - row.latency_ms / ms), row.origin
        elif origin == "interpolated":
            relative = INTERPOLATION_ERROR
        else:
            relative = _extrapolation_error(distance)
        return Price(kind_label(op), ms, origin, ms * relative / Z90, np.zeros(0), distance)

    def _from_relatives(self, op: EngineOperator) -> Price | None:
        fit = self._relatives.fit(op)
        if fit is None:
            return None
        ms, distance = fit.ms(op), max(fit.distance(op), OTHER_OPERATION)
        if ms <= 0:
            return None
        error = math.hypot(_extrapolation_error(distance), fit.relative_error)
        return Price(kind_label(op), ms, "extrapolated", ms * error / Z90, np.zeros(0), distance)

    def _from_class(self, op: EngineOperator, name: str) -> Price | None:
        entries = self._rows.get(name)
        if not entries:
            return None
        features = [(index, TERMS[term](op)) for index, term in entries]
        rows = [(self._class_rows[index], feature) for index, feature in features]
        shares = [(row, feature * row.latency_ms) for row, feature in rows]
        ms = sum(share for _, share in shares)
        if ms <= 0:
            return None
        origin = max((row.origin for row, share in shares if share > 0), key=ORIGINS.index)
        distance = beyond_seen(op)
        outside = 0.0
        if distance > 1:
            origin = max(origin, "extrapolated", key=ORIGINS.index)
            outside = ms * _extrapolation_error(distance) / Z90
        if self._table.samples.size:
            samples = (
                np.array([feature for _, feature in features]) @ self._table.samples[[index for index, _ in features]]
            )
            return Price(kind_label(op), ms, origin, outside, samples, distance)
        error = math.sqrt(sum((share * row.relative_error) ** 2 for row, share in shares)) / Z90
        return Price(kind_label(op), ms, origin, math.hypot(error, outside), np.zeros(0), distance)

    def _from_traffic(self, op: EngineOperator) -> Price | None:
        """What only moves elements takes about as long as measured operators that do no more than that."""
        if op.kind not in TRAFFIC_KINDS:
            return None
        bounded = self._from_class(op, TRAFFIC)
        if bounded or self._traffic_ms is None:
            return bounded
        ms = self._traffic_ms * TERMS["M elements"](op)
        return Price(kind_label(op), ms, "traffic-estimate", ms * TRAFFIC_ERROR / Z90, np.zeros(0))

    def _measured_traffic(self) -> float | None:
        rates = [
            row.latency_ms / TERMS["M elements"](op)
            for op, row in self._table.shapes.items()
            if op.kind in ("add", "multiply", "concat", "copy")
        ]
        return median(rates) if rates else None


@lru_cache(maxsize=64)
def _pricer_by_content(holder: _ByContent) -> Pricer:
    return Pricer(holder.table)


class _ByContent:
    """A table as a dictionary key: equal where the files are."""

    def __init__(self, table: LatencyTable) -> None:
        self.table = table

    def __hash__(self) -> int:
        return hash((self.table.name, self.table.fingerprint))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ByContent) and (
            self.table is other.table
            or (bool(self.table.fingerprint) and self.table.fingerprint == other.table.fingerprint)
        )


def pricer(table: LatencyTable) -> Pricer:
    return _pricer_by_content(_ByContent(table))
