"""Milliseconds of a network on a device: a sum over its operators, with an error band, and where each share came from.

An operator's cost is looked up exactly, else interpolated along channels and pixels within its operation, else
extrapolated from it, else priced by its cost class, else from measured operators of its kind, else bounded by the bytes
it moves; else it is refused by name. Never zero.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from latency_tables.lowering.operators import EngineOperator
from latency_tables.tables.pricing import Price, is_convolution, pricer
from latency_tables.tables.relatives import Z90
from latency_tables.tables.rows import ORIGINS
from latency_tables.tables.table import LatencyTable
from space.errors import UserError

# What rows do not explain is larger between two networks than in one: with this factor 88 to 98 % of pairs of published
# networks of different families have their true difference in the band (reports/published/latency-tables).
DIFFERENCE_RESIDUAL = 1.4
DEFAULT_RESIDUAL = 0.05  # of whole networks on a table that was not validated
SHOWN_MISSING = 6


class MissingOperatorError(UserError):
    """The table has no figure for some operators of the network, and no bound either."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Predicted time of one inference on one table, batch 1, in milliseconds.

    ``low`` to ``high`` is the 90 % band for the table's device with any version of its engine, pinned to the core or
    not. ``origin`` is the worst origin among the parts of the prediction (``latency_tables.tables.rows.ORIGINS``).
    """

    ms: float
    low: float
    high: float
    origin: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Latency:
        return cls(**data)


@dataclass(frozen=True, slots=True)
class Explanation:
    """The breakdown of a ``latency`` by kind of operator, part of the network, and origin; each sums to its ms.

    ``version_low`` to ``version_high`` is the 90 % band for the measured engine version and pinning; ``distance`` is
    how many times outside the measured range the farthest operator lies, 1 within.
    """

    latency: Latency
    by_kind: dict[str, float]
    by_part: dict[str, float]
    by_origin: dict[str, float]
    version_low: float
    version_high: float
    distance: float = 1.0

    @property
    def outside_convolutions_ms(self) -> float:
        """Of all operators but convolutions, transposed ones included among these: what multiply-accumulates miss."""
        return sum(ms for kind, ms in self.by_kind.items() if not is_convolution(kind))

    def to_dict(self) -> dict[str, Any]:
        """Flat, the latency's own figures first."""
        values = asdict(self)
        own = values.pop("latency")
        return {**own, "outside_convolutions_ms": self.outside_convolutions_ms, **values}


@dataclass(frozen=True)
class Difference:
    """The second network's milliseconds minus the first's on one table, with a 90 % band.

    Shared operators and the device's common scale cancel. ``tied`` if the band contains zero.
    """

    ms: float
    low: float
    high: float

    @property
    def tied(self) -> bool:
        return self.low <= 0 <= self.high


@dataclass(frozen=True)
class Workload:
    """The counted operators of a network, so that many tables can price them without counting again."""

    counts: Mapping[EngineOperator, int]
    by_part: Mapping[str, Mapping[EngineOperator, int]]


def workload(operators: Iterable[EngineOperator]) -> Workload:
    """How often each operator runs, in total and by part of the network (``_part``)."""
    counts: dict[EngineOperator, int] = {}
    by_part: dict[str, dict[EngineOperator, int]] = {}
    for op in operators:
        counts[op] = counts.get(op, 0) + 1
        part = by_part.setdefault(_part(op.part), {})
        part[op] = part.get(op, 0) + 1
    return Workload(counts, by_part)


def _part(path: str) -> str:
    """The first name of a module's path; the parts of a trunk stand for themselves."""
    first, _, inside = path.partition(".")
    return (inside.partition(".")[0] if first == "trunk" else first) or "between parts"


def estimate(table: LatencyTable, operators: Iterable[EngineOperator] | Workload) -> Latency:
    """Milliseconds of a network of ``operators`` (``latency_tables.lowering.fusion.engine_operators``) on ``table``.

    Raises:
        MissingOperatorError: names every operator that the table cannot price.
    """
    return explain(table, operators).latency


def explain(table: LatencyTable, operators: Iterable[EngineOperator] | Workload) -> Explanation:
    """``estimate`` with the breakdown of the time by kind, part and origin.

    Raises:
        MissingOperatorError: as ``estimate``.
    """
    work = operators if isinstance(operators, Workload) else workload(operators)
    prices = _prices(table, work.counts)
    by_kind: defaultdict[str, float] = defaultdict(float)
    by_origin: defaultdict[str, float] = defaultdict(float)
    for op, count in work.counts.items():
        price = prices[op]
        by_kind[price.kind] += count * price.ms
        by_origin[price.origin] += count * price.ms
    by_part = {
        part: sum(count * prices[op].ms for op, count in counts.items()) for part, counts in work.by_part.items()
    }
    ms = sum(by_kind.values())
    spread = math.sqrt(_variance(work.counts, prices) + (residual(table) * ms) ** 2)
    relative = spread / ms if ms else 0.0
    own, any_version = (math.exp(Z90 * sd) for sd in (relative, math.hypot(relative, version_spread(table))))
    worst = max(by_origin, key=ORIGINS.index, default=ORIGINS[0])
    return Explanation(
        Latency(ms, ms / any_version, ms * any_version, worst),
        _by_size(by_kind),
        _by_size(by_part),
        _by_size(by_origin),
        ms / own,
        ms * own,
        max((price.distance for price in prices.values()), default=1.0),
    )


def difference(table: LatencyTable, first: Iterable[EngineOperator], second: Iterable[EngineOperator]) -> Difference:
    """How much slower ``second`` is than ``first``, in milliseconds, with a 90 % band."""
    counts = Counter(second)
    counts.subtract(Counter(first))
    counts = Counter({op: count for op, count in counts.items() if count})
    prices = _prices(table, counts)
    ms = sum(count * prices[op].ms for op, count in counts.items())
    only_second = sum(count * prices[op].ms for op, count in counts.items() if count > 0)
    left_over = DIFFERENCE_RESIDUAL * residual(table) * math.hypot(only_second, only_second - ms)
    half = Z90 * math.sqrt(_variance(counts, prices) + left_over**2)
    return Difference(ms, ms - half, ms + half)


def price(table: LatencyTable, op: EngineOperator) -> Price | None:
    """The price of one call of ``op`` on ``table``; None if it is unknown."""
    return pricer(table).price(op)


def residual(table: LatencyTable) -> float:
    """Relative standard deviation of whole networks about their prediction, beyond the errors of the rows."""
    return float(table.provenance.get("residual", DEFAULT_RESIDUAL))


def version_spread(table: LatencyTable) -> float:
    """Standard deviation of the logarithm of the factor between versions of the engine; 0 for a table measured with the
    user's own version."""
    return float(table.provenance.get("version_spread", 0.0))


def _prices(table: LatencyTable, operators: Iterable[EngineOperator]) -> dict[EngineOperator, Price]:
    known = pricer(table)
    found = {op: known.price(op) for op in operators}
    prices = {op: price for op, price in found.items() if price is not None}
    missing = [op for op in found if op not in prices]
    if missing:
        shown = "; ".join(map(str, missing[:SHOWN_MISSING]))
        more = f" and {len(missing) - SHOWN_MISSING} more" if len(missing) > SHOWN_MISSING else ""
        raise MissingOperatorError(
            f"table {table.name} has no figure for {shown}{more}: measure them (python -m latency_tables measure) or "
            "choose another table"
        )
    return prices


def _variance(counts: Mapping[EngineOperator, int], prices: dict[EngineOperator, Price]) -> float:
    """Variance of a weighted sum of prices, in ms squared: bootstrap samples move together, own errors do not."""
    own = 0.0
    together: np.ndarray | float = 0.0
    for op, count in counts.items():
        found = prices[op]
        own += (count * found.own_error) ** 2
        if found.samples.size:
            together = together + count * found.samples
    return own + float(np.var(together))


def _by_size(shares: Mapping[str, float]) -> dict[str, float]:
    return dict(sorted(shares.items(), key=lambda share: -share[1]))
