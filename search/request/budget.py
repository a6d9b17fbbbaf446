"""The budget as the user writes it: ``200k-params,1300ms@pixel4-a76,128mb-memory,0.5mb-weights``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from evaluators.costs import Costs
from evaluators.quantities import QUANTITIES, latency_key, quantity
from search.request.tables import table_name, tables_there_are
from space.errors import UserError

SMALLEST, LARGEST = 1e-6, 1e18
EXAMPLES = "200k-params, 11g-macs, 128mb-memory, 0.5mb-weights, 1300ms@pixel4-a76"

_NUMBER = r"(?P<number>[+-]?[0-9.]+(?:e[+-]?[0-9]+)?|[+-]?(?:nan|inf))"
_TIME = re.compile(_NUMBER + r"(?P<unit>ms|s)(?P<at>@(?P<table>.*)|-?)", re.IGNORECASE)
_LIMIT = re.compile(_NUMBER + r"(?P<unit>[a-z]*)-(?P<quantity>[a-z]+)")


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``value`` (parameters, MACs, bytes, or milliseconds) of one quantity; ``text`` is how it was asked for.

    ``quantity`` is its key (``evaluators.quantities``). ``source`` is the table of a limit in milliseconds as it was
    named: it may be a file, which ``text`` calls by its name alone.
    """

    quantity: str
    value: float
    text: str
    source: str | None = field(default=None, compare=False)

    def excess(self, costs: Costs) -> float:
        """Excess over the limit: positive is over the budget, zero or less is within."""
        return costs.of(self.quantity) - self.value


@dataclass(frozen=True, slots=True)
class Budget:
    """All limits at once; ``text`` is canonical, so that equal budgets compare and name runs alike."""

    limits: tuple[Limit, ...]

    @property
    def text(self) -> str:
        return ",".join(limit.text for limit in self.limits)

    @property
    def sources(self) -> tuple[str, ...]:
        """The latency tables that limits name, by name or path."""
        return tuple(limit.source for limit in self.limits if limit.source is not None)

    def allows(self, costs: Costs) -> bool:
        return all(limit.excess(costs) <= 0 for limit in self.limits)

    def broken(self, costs: Costs) -> tuple[Limit, ...]:
        """The limits that ``costs`` exceed."""
        return tuple(limit for limit in self.limits if limit.excess(costs) > 0)


def parse_budget(text: str) -> Budget:
    """Read a budget: limits ``NUMBER[UNIT]-QUANTITY`` or ``NUMBERms@TABLE`` joined by commas, in any order, each
    quantity and each table once.

    Units of ``params`` and ``macs`` are none, k, m, g (powers of 1000); of ``memory`` and ``weights`` b, kb, mb, gb
    (powers of 1000) and kib, mib, gib (powers of 1024); of time ms and s. TABLE is a name or the path of a CSV file,
    in its own spelling; whether there is such a table is not looked at here.

    Raises:
        UserError: malformed, not positive, or the same quantity twice; the message names the value.
    """
    limits: dict[str, Limit] = {}
    for part in text.split(","):
        limit = _parse_limit(part.strip(), text)
        if limit.quantity in limits:
            table = quantity(limit.quantity).table
            what = f"quantity once, got {limit.quantity}" if table is None else f"latency table once, got {table}"
            raise UserError(f"--budget must name each {what} twice in {text!r}")
        limits[limit.quantity] = limit
    order = [*QUANTITIES, *sorted(limits.keys() - QUANTITIES.keys())]
    return Budget(tuple(limits[limit] for limit in order if limit in limits))


def _parse_limit(limit: str, text: str) -> Limit:
    time = _TIME.fullmatch(limit)
    if time is not None:
        return _parse_time(time, limit)
    match = _LIMIT.fullmatch(limit.lower())
    if match is None:
        shown = f"{limit!r} in {text!r}" if limit != text else repr(text)
        raise UserError(
            f"--budget must be NUMBER[UNIT]-QUANTITY or NUMBERms@TABLE joined by commas, got {shown}; try {EXAMPLES}"
        )
    name, unit = match["quantity"], match["unit"]
    if name not in QUANTITIES:
        raise UserError(f"--budget quantity must be one of {', '.join(QUANTITIES)}, got {name!r} in {limit!r}")
    meant = QUANTITIES[name]
    if unit not in meant.units:
        known = ", ".join(unit for unit in meant.units if unit)
        raise UserError(f"--budget unit of {name} must be one of {known}, got {unit!r} in {limit!r}")
    value = _bounded(_number(match["number"], limit) * meant.units[unit], limit)
    return Limit(name, value, meant.limit_text(float(match["number"]), unit))


def _parse_time(match: re.Match[str], limit: str) -> Limit:
    """A limit in milliseconds, or in seconds, which becomes one."""
    number = match["number"].lower()
    if match["table"] is None:
        raise UserError(
            f"--budget in milliseconds needs a device, got {limit!r}; try {number}{match['unit']}@TABLE; "
            f"{tables_there_are()}"
        )
    meant = quantity(latency_key(table_name("--budget", match["table"])))
    value_ms = _bounded(_number(number, limit) * meant.units[match["unit"].lower()], limit)
    return Limit(meant.key, value_ms, meant.limit_text(value_ms), match["table"])


def _bounded(value: float, limit: str) -> float:
    """``value`` in the quantity's own unit: within what any machine stores, so that no sum or logarithm overflows."""
    if not SMALLEST <= value <= LARGEST:
        raise UserError(f"--budget must be from {SMALLEST:g} to {LARGEST:g} once its unit is read, got {limit!r}")
    return value


def _number(text: str, limit: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"--budget number must be a number, got {text!r} in {limit!r}") from None
    if not (math.isfinite(value) and value > 0):
        raise UserError(f"--budget must be a positive finite number, got {text} in {limit!r}")
    return value
