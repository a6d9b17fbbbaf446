"""The budget in the user's own words: ``200k-params,11g-macs,128mb-memory,0.5mb-weights``."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from evaluators.cost import COST_FIELDS, Costs
from space.errors import UserError

COUNT_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
BYTE_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
UNITS = {"params": COUNT_UNITS, "macs": COUNT_UNITS, "memory": BYTE_UNITS, "weights": BYTE_UNITS}
EXAMPLES = "200k-params, 11g-macs, 128mb-memory, 0.5mb-weights"

_MILLISECONDS = re.compile(r"[+-]?[0-9.]*ms(@.*)?")
_LIMIT = re.compile(r"(?P<number>[+-]?[0-9.]+(?:e[+-]?[0-9]+)?|[+-]?(?:nan|inf))(?P<unit>[a-z]*)-(?P<quantity>[a-z]+)")


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``value`` (parameters, MACs, or bytes) of one quantity; ``text`` is how it was asked for."""

    quantity: str
    value: float
    text: str

    def excess(self, costs: Costs) -> float:
        """How far over the limit: positive is too dear, zero or less is within."""
        return getattr(costs, COST_FIELDS[self.quantity]) - self.value


@dataclass(frozen=True, slots=True)
class Budget:
    """All limits at once; ``text`` is canonical, so that equal budgets compare and name runs alike."""

    limits: tuple[Limit, ...]

    @property
    def text(self) -> str:
        return ",".join(limit.text for limit in self.limits)

    def allows(self, costs: Costs) -> bool:
        return all(limit.excess(costs) <= 0 for limit in self.limits)

    def broken(self, costs: Costs) -> tuple[Limit, ...]:
        """The limits that ``costs`` exceed."""
        return tuple(limit for limit in self.limits if limit.excess(costs) > 0)


def parse_budget(text: str) -> Budget:
    """Read a budget: limits ``NUMBER[UNIT]-QUANTITY`` joined by commas, in any order, each quantity once.

    Units of ``params`` and ``macs`` are none, k, m, g (powers of 1000); of ``memory`` and ``weights`` b, kb, mb, gb
    (powers of 1000) and kib, mib, gib (powers of 1024).

    Raises:
        UserError: malformed, not positive, or the same quantity twice; the message names the value.
    """
    limits: dict[str, Limit] = {}
    for word in text.lower().split(","):
        limit = _parse_limit(word.strip(), text)
        if limit.quantity in limits:
            raise UserError(f"--budget must name each quantity once, got {limit.quantity} twice in {text!r}")
        limits[limit.quantity] = limit
    return Budget(tuple(limits[quantity] for quantity in UNITS if quantity in limits))


def _parse_limit(word: str, text: str) -> Limit:
    if _MILLISECONDS.fullmatch(word):
        raise UserError(
            f"--budget in milliseconds needs a latency table, and none ships yet, got {word!r}; try {EXAMPLES}"
        )
    match = _LIMIT.fullmatch(word)
    if match is None:
        shown = f"{word!r} in {text!r}" if word != text else repr(text)
        raise UserError(f"--budget must be NUMBER[UNIT]-QUANTITY joined by commas, got {shown}; try {EXAMPLES}")
    quantity, unit = match["quantity"], match["unit"]
    if quantity not in UNITS:
        raise UserError(f"--budget quantity must be one of {', '.join(UNITS)}, got {quantity!r} in {word!r}")
    if unit not in UNITS[quantity]:
        known = ", ".join(unit for unit in UNITS[quantity] if unit)
        raise UserError(f"--budget unit of {quantity} must be one of {known}, got {unit!r} in {word!r}")
    try:
        value = float(match["number"]) * UNITS[quantity][unit]
    except ValueError:
        raise UserError(f"--budget number must be a number, got {match['number']!r} in {word!r}") from None
    if not (math.isfinite(value) and value > 0):
        raise UserError(f"--budget must be a positive finite number, got {match['number']} in {word!r}")
    return Limit(quantity, value, f"{float(match['number']):.12g}{unit}-{quantity}")
