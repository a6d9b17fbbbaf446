"""Milliseconds of a network on a device: a sum over its operators, with an error band, and where each share came from.

An operator's cost is looked up exactly, else interpolated along channels and pixels within its family, else
extrapolated from it, else priced by its cost class, else from measured operators of its kind, else bounded by the bytes
it moves; else it is refused by name. Never zero.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import median

import numpy as np

from latency_tables.classes import TERMS, beyond_seen, cost_class, is_pixelwise
from latency_tables.grid import FamilyGrid
from latency_tables.operators import TRAFFIC_KINDS, EngineOperator, text
from latency_tables.relatives import Relatives
from latency_tables.rows import ORIGINS
from latency_tables.table import TRAFFIC, LatencyTable
from space.errors import UserError

Z90 = 1.645  # half width of a 90 % band in standard deviations
# What rows do not explain is larger between two networks than in one: with this factor 88 to 97 % of pairs of published
# networks of different families have their true difference in the band (reports/published/latency-tables).
DIFFERENCE_RESIDUAL = 1.4
DEFAULT_RESIDUAL = 0.05  # of whole networks on a table that was not validated
INTERPOLATION_ERROR = 0.05  # half the 90 % band of a shape between measured ones
EXTRAPOLATION_ERROR = 0.20  # outside them, growing with the distance
OTHER_FAMILY = 2.0  # how far apart two kernels, strides or factors count at least
TRAFFIC_ERROR = 1.0
SAID_DISTANCE = 1.05
SHOWN_MISSING = 6


class MissingOperatorError(UserError):
    """The table has no figure for some operators of the network, and no bound either."""


@dataclass(frozen=True)
class Latency:
    """One network on one table.

    ``low`` to ``high`` is the 90 % band for the table's device with any version of its engine, pinned to the core or
    not; ``version_low`` to ``version_high`` that for the very version and pinning that were measured. ``origin`` is the
    worst of its parts; ``distance`` how many times outside of what was measured the farthest of its operators is; the
    rest adds up to ``ms``: by kind of operator, by part of the network, by origin.
    """

    table: str
    ms: float
    low: float
    high: float
    origin: str
    by_kind: dict[str, float]
    by_part: dict[str, float]
    by_origin: dict[str, float]
    version_low: float
    version_high: float
    distance: float = 1.0


@dataclass(frozen=True)
class Difference:
    """The second network's milliseconds minus the first's on one table, with its 90 % band.

    What the two share, and the device's common scale, cancel. ``tied`` if the band holds zero.
    """

    ms: float
    low: float
    high: float

    @property
    def tied(self) -> bool:
        return self.low <= 0 <= self.high


@dataclass(frozen=True, slots=True)
class Price:
    """Milliseconds of one call. ``draws`` are those of resampled fits (empty for a shape), ``own_error`` the standard
    deviation in milliseconds that this shape shares with no other, ``distance`` how many times outside of what was
    measured it is, 1 within."""

    kind: str
    ms: float
    origin: str
    own_error: float
    draws: np.ndarray
    distance: float = 1.0

    @property
    def origin_text(self) -> str:
        """``extrapolated, 11 times outside``: how far where it is outside."""
        return f"{self.origin}, {self.distance:.2g} times outside" if self.distance > SAID_DISTANCE else self.origin


@dataclass(frozen=True)
class Workload:
    """A network's operators counted, so that many tables can price them without counting again."""

    counts: Mapping[EngineOperator, int]
    by_part: Mapping[str, Mapping[EngineOperator, int]]


def workload(operators: Iterable[EngineOperator]) -> Workload:
    """How often each operator runs, in all and by part of the network (the first name of a module's path)."""
    counts: dict[EngineOperator, int] = {}
    by_part: dict[str, dict[EngineOperator, int]] = {}
    for op in operators:
        counts[op] = counts.get(op, 0) + 1
        part = by_part.setdefault(op.part.partition(".")[0] or "between parts", {})
        part[op] = part.get(op, 0) + 1
    return Workload(counts, by_part)


def predict(table: LatencyTable, operators: Iterable[EngineOperator] | Workload) -> Latency:
    """Milliseconds of a network of ``operators`` (``latency_tables.fusion.engine_operators``) on ``table``.

    Raises:
        MissingOperatorError: names every operator that the table cannot price.
    """
    work = operators if isinstance(operators, Workload) else workload(operators)
    prices = _prices(table, work.counts)
    by_kind: Counter[str] = Counter()
    by_origin: Counter[str] = Counter()
    for op, count in work.counts.items():
        price = prices[op]
        by_kind[price.kind] += count * price.ms
        by_origin[price.origin] += count * price.ms
    by_part = Counter(
        {part: sum(count * prices[op].ms for op, count in counts.items()) for part, counts in work.by_part.items()}
    )
    ms = sum(by_kind.values())
    spread = math.sqrt(_variance(work.counts, prices) + (residual(table) * ms) ** 2)
    relative = spread / ms if ms else 0.0
    own, any_version = (math.exp(Z90 * sd) for sd in (relative, math.hypot(relative, version_spread(table))))
    worst = max(by_origin, key=ORIGINS.index, default=ORIGINS[0])
    return Latency(
        table.name, ms, ms / any_version, ms * any_version, worst, _by_size(by_kind), _by_size(by_part),
        _by_size(by_origin), ms / own, ms * own, max((price.distance for price in prices.values()), default=1.0),
    )  # fmt: skip


def difference(table: LatencyTable, first: Iterable[EngineOperator], second: Iterable[EngineOperator]) -> Difference:
    """How much slower ``second`` is than ``first``, in milliseconds, with the band that says whether it is at all."""
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
    """What one call of ``op`` costs on ``table``; None where nothing is known."""
    return _pricer(table).price(op)


def extrapolation_error(distance: float) -> float:
    """Half the relative 90 % band of an operator that is ``distance`` times outside of what was measured."""
    return EXTRAPOLATION_ERROR * (1 + math.log2(distance))


def residual(table: LatencyTable) -> float:
    """Relative standard deviation of whole networks about their prediction that no row's error explains."""
    return float(table.provenance.get("residual", DEFAULT_RESIDUAL))


def version_spread(table: LatencyTable) -> float:
    """Standard deviation of the logarithm of the one factor by which other versions of the engine differ; 0 of a table
    that was measured with its user's own."""
    return float(table.provenance.get("version_spread", 0.0))


def kind_label(op: EngineOperator) -> str:
    """How shares are told apart: ``conv 3x3``, ``conv 1x1``, ``activation prelu``."""
    if op.kind.endswith("conv"):
        return f"{op.kind} {text(op.kernel)}"
    return " ".join(filter(None, (op.kind, op.function)))


def _prices(table: LatencyTable, operators: Iterable[EngineOperator]) -> dict[EngineOperator, Price]:
    pricer = _pricer(table)
    prices = {op: pricer.price(op) for op in operators}
    missing = [op for op, found in prices.items() if found is None]
    if missing:
        shown = "; ".join(map(str, missing[:SHOWN_MISSING]))
        more = f" and {len(missing) - SHOWN_MISSING} more" if len(missing) > SHOWN_MISSING else ""
        raise MissingOperatorError(
            f"table {table.name} has no figure for {shown}{more}: measure them (python -m latency_tables measure) or "
            "choose another table"
        )
    return prices


def _variance(counts: Mapping[EngineOperator, int], prices: dict[EngineOperator, Price]) -> float:
    """Of a weighted sum of prices, in ms squared: the fits' draws move together, own errors do not."""
    own = 0.0
    together: np.ndarray | float = 0.0
    for op, count in counts.items():
        found = prices[op]
        own += (count * found.own_error) ** 2
        if found.draws.size:
            together = together + count * found.draws
    return own + float(np.var(together))


def _by_size(shares: Counter[str]) -> dict[str, float]:
    return dict(shares.most_common())


class _Pricer:
    """A table made ready for many questions."""

    def __init__(self, table: LatencyTable) -> None:
        self._table = table
        families: dict[tuple[object, ...], dict[EngineOperator, float]] = {}
        for op, row in table.shapes.items():
            families.setdefault(op.family, {})[op] = row.latency_ms
        self._families = families
        self._relatives = Relatives({op: row.latency_ms for op, row in table.shapes.items()})
        self._grids: dict[tuple[object, ...], FamilyGrid] = {}
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
            self._from_family(op)
            or self._from_class(op, cost_class(op))
            or self._from_relatives(op)
            or self._from_traffic(op)
        )

    def _product(self, op: EngineOperator) -> Price | None:
        """A matrix product at many pixels is the 1x1 convolution that computes the same; it costs no less than at one,
        where the weights' way from memory is all that counts."""
        one = self.price(replace(op, height=1, width=1, read_elements=op.in_channels))
        found = self._anything(replace(op, kind="conv")) if op.family not in self._families else self._from_family(op)
        dearer = max((each for each in (found, one) if each), key=lambda each: each.ms, default=None)
        return dearer and replace(dearer, kind=kind_label(op))

    def _from_family(self, op: EngineOperator) -> Price | None:
        if op.family not in self._families:
            return None
        if op.family not in self._grids:
            related = self._relatives.fit(op)
            self._grids[op.family] = FamilyGrid(self._families[op.family], related.ms if related else None)
        ms, origin, distance = self._grids[op.family].at(op)
        row = self._table.shapes.get(op)
        if row is not None:
            relative, origin = row.relative_error, row.origin
        elif origin == "interpolated":
            relative = INTERPOLATION_ERROR
        else:
            relative = extrapolation_error(distance)
        return Price(kind_label(op), ms, origin, ms * relative / Z90, np.zeros(0), distance)

    def _from_relatives(self, op: EngineOperator) -> Price | None:
        fit = self._relatives.fit(op)
        if fit is None:
            return None
        ms, distance = fit.ms(op), max(fit.distance(op), OTHER_FAMILY)
        if ms <= 0:
            return None
        error = math.hypot(extrapolation_error(distance), fit.relative_error)
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
            outside = ms * extrapolation_error(distance) / Z90
        if self._table.draws.size:
            draws = np.array([feature for _, feature in features]) @ self._table.draws[[index for index, _ in features]]
            return Price(kind_label(op), ms, origin, outside, draws, distance)
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
def _pricer_by_content(holder: _ByContent) -> _Pricer:
    return _Pricer(holder.table)


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


def _pricer(table: LatencyTable) -> _Pricer:
    return _pricer_by_content(_ByContent(table))
