"""What a table's measured rows tell about operators whose operation has no row there, or none so large.

Rows of one relation (all dense convolutions, all poolings of one function) are a non-negative sum of terms, each of
which grows with channels and with pixels: one fit of it to all of them prices the next kernel size or factor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from scipy.optimize import nnls

from latency_tables.lowering.operators import COMPUTE_KINDS, EngineOperator
from latency_tables.tables.classes import TERMS

Z90 = 1.645  # half width of a 90 % band in standard deviations
DENSE = ("GMAC in tiles", "M window elements", "M written elements", "M pixels", "call")
RELATION_TERMS: Mapping[str, tuple[str, ...]] = {
    "conv": DENSE,
    "matmul": DENSE,
    "depthwise_conv": ("GMAC", "M elements", "M pixels", "call"),
    "grouped_conv": ("GMAC", "M output taps", "M elements", "call"),
    "transposed_conv": ("GMAC", "M scattered elements", "M written elements", "call"),
    "pool": ("M elements", "M output taps", "M pixels", "call"),
}
MOVING = ("M elements", "M pixels", "call")  # terms of what has none above
LEAST_ROWS = 3  # that a relation must have to say anything


def relation(op: EngineOperator) -> tuple[str, str]:
    """Which rows ``op`` is compared with: those of its kind, and of its function where that changes the work."""
    if op.kind in COMPUTE_KINDS:
        return ("conv" if op.kind == "matmul" else op.kind, "")
    return (op.kind, "" if op.kind == "concat" else op.function)


class Relatives:
    """Milliseconds of any operator, by the fits to ``latency_ms`` of some."""

    def __init__(self, latency_ms: Mapping[EngineOperator, float]) -> None:
        related: dict[tuple[str, str], dict[EngineOperator, float]] = {}
        for op, ms in latency_ms.items():
            related.setdefault(relation(op), {})[op] = ms
        self._related = {name: rows for name, rows in related.items() if len(rows) >= LEAST_ROWS}
        self._fits: dict[tuple[str, str], _Fit] = {}

    def fit(self, op: EngineOperator) -> _Fit | None:
        """The fit to ``op``'s relation; None where the table has next to no row of it."""
        name = relation(op)
        if name not in self._related:
            return None
        if name not in self._fits:
            self._fits[name] = _Fit(self._related[name])
        return self._fits[name]


class _Fit:
    """Prices of the terms of one relation."""

    def __init__(self, rows: Mapping[EngineOperator, float]) -> None:
        operators, times = list(rows), np.array(list(rows.values()))
        self._terms = RELATION_TERMS.get(operators[0].kind, MOVING)
        amounts = np.array([self._amounts(op) for op in operators])
        self._prices, _ = nnls(amounts / times[:, None], np.ones(len(times)))
        ratio = amounts @ self._prices / times
        self.relative_error = float(Z90 * np.sqrt(np.mean((ratio - 1) ** 2)))
        self._most = np.array([self._sizes(op) for op in operators]).max(axis=0)
        self._least = np.array([self._sizes(op) for op in operators]).min(axis=0)

    def ms(self, op: EngineOperator) -> float:
        return float(self._amounts(op) @ self._prices)

    def distance(self, op: EngineOperator) -> float:
        """How many times outside the rows' kernels, factors, channels and pixels ``op`` is, in all."""
        sizes = self._sizes(op)
        return float(np.prod(np.maximum(1.0, np.maximum(sizes / self._most, self._least / sizes))))

    def _amounts(self, op: EngineOperator) -> np.ndarray:
        return np.array([TERMS[term](op) for term in self._terms])

    @staticmethod
    def _sizes(op: EngineOperator) -> np.ndarray:
        sizes = (op.taps, math.prod(op.dilation), op.factor, op.in_channels, op.out_channels, op.pixels)
        return np.array(sizes, dtype=float)
