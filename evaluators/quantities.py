"""The cost quantities of a network: key, units, and how each is shown.

Budgets, objectives, constraints, ``front.csv``, tables, plots, sentences and the dashboard read ``QUANTITIES``. To add
a quantity, add a field to ``evaluators.costs.Costs``, fill it in there, and add an entry here. Does not import torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from space.errors import UserError

if TYPE_CHECKING:
    from evaluators.costs import Costs

COUNT_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
BYTE_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
TIME_UNITS = {"ms": 1, "s": 1000}
PREFIX = "ms@"  # of the key of milliseconds on a table
SUFFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


class Shown(IntEnum):
    """Where a quantity appears by default: in files only, also in sentences, or in every table too."""

    FILES = 0
    SENTENCES = 1
    TABLES = 2


@dataclass(frozen=True, slots=True)
class Quantity:
    """One cost quantity.

    ``key`` names it in ``--budget`` and ``--objective``; ``column`` is its field of ``Costs`` and its column in
    ``front.csv``. ``units`` are the units of a budget, in the quantity's base unit: parameter, MAC, byte, millisecond.
    """

    key: str
    column: str
    units: Mapping[str, int]
    name: str  # in a table: "peak activation memory"
    noun: str  # after a comparative: "23% less activation memory"
    unit: str  # after a formatted number: "118.0 MB activations"
    exact_unit: str  # after a whole number: "117,964,800 bytes of activations"
    axis: str  # label of a plot's axis, with its unit
    per_axis_unit: float
    number: Callable[[float], str]  # formatted, without ``unit``: "118.0 MB"
    is_counted: bool = False  # "fewer" and "many", not "less" and "much"
    is_fixed: bool = False  # the same at every input size
    shown: Shown = Shown.SENTENCES

    @property
    def table(self) -> str | None:
        """The latency table of a quantity in milliseconds; None for any other."""
        return table_of(self.key)

    def of(self, costs: Costs) -> float:
        """The figure in the base unit.

        Raises:
            UserError: it is milliseconds on a table for which ``costs`` has no figure.
        """
        table = self.table
        if table is None:
            exact: float = getattr(costs, self.column)
            return exact
        if table not in costs.latency:
            known = ", ".join(costs.latency) or "none"
            raise UserError(f"no milliseconds on {table} are known of a network; known: {known}")
        return costs.latency[table].ms

    def on_axis(self, costs: Costs) -> float:
        """The figure in the unit of the axis."""
        return self.of(costs) / self.per_axis_unit

    def band(self, costs: Costs) -> tuple[float, float] | None:
        """The 90 % band of a prediction in the unit of the axis; None for an exact figure."""
        return None if self.table is None else (costs.latency[self.table].low, costs.latency[self.table].high)

    def text(self, costs: Costs) -> str:
        """The figure with its unit: ``143,755 params``, ``10.19 G MACs``, ``1,482 ms on pixel4-a76``."""
        return f"{self.number(self.of(costs))} {self.unit}"

    def exact_text(self, costs: Costs) -> str:
        """The figure to the last digit: ``10,193,414,400 MACs``; for a prediction, as ``text``."""
        return f"{self.of(costs):,.0f} {self.exact_unit}" if self.table is None else self.text(costs)

    def limit_text(self, number: float, unit: str = "") -> str:
        """A limit as a budget writes it: ``200k-params``, ``1300ms@pixel4-a76``; ``number`` is in ``unit``."""
        return f"{number:.12g}{unit}-{self.key}" if self.table is None else f"{number:.12g}{self.key}"

    def saving(self, share: float) -> str:
        """``28% fewer MACs``, ``7% more parameters``, ``as much time on pixel4-a76``; ``share`` is the share saved."""
        percent = f"{abs(share):.0%}"
        if percent == "0%":
            return f"as {'many' if self.is_counted else 'much'} {self.noun}"
        less = "fewer" if self.is_counted else "less"
        return f"{percent} {less if share > 0 else 'more'} {self.noun}"

    @property
    def least(self) -> str:
        """``the fewest MACs``."""
        return f"the {'fewest' if self.is_counted else 'least'} {self.noun}"


def latency_key(table: str) -> str:
    """The key of milliseconds on ``table``: ``ms@pixel4-a76``."""
    return PREFIX + table


def table_of(key: str) -> str | None:
    """The table named by a quantity key; None if the key is not milliseconds."""
    return key.removeprefix(PREFIX) if key.startswith(PREFIX) else None


def ms_text(ms: float) -> str:
    """Milliseconds to about three digits: ``1,482``, ``98.7``, ``3.42``."""
    return f"{ms:,.{0 if ms >= 100 else 1 if ms >= 10 else 2}f}"


def _short_number(value: float) -> str:
    """Three or four digits and a suffix: ``144 k``, ``10.19 G``, ``11 G``."""
    for size, suffix in SUFFIXES:
        if value >= size:
            scaled = value / size
            return f"{scaled:.{2 if scaled < 100 else 0}f}".removesuffix(".00") + f" {suffix}"
    return f"{value:.0f}"


def _bytes_text(value: float) -> str:
    """``118.0 MB``, ``575 kB``."""
    return f"{value / 1e6:.1f} MB" if value >= 1e6 else f"{value / 1e3:.0f} kB"


QUANTITIES: dict[str, Quantity] = {
    quantity.key: quantity
    for quantity in (
        Quantity(
            key="params",
            column="params",
            units=COUNT_UNITS,
            name="parameters",
            noun="parameters",
            unit="params",
            exact_unit="params",
            axis="Parameters (thousands)",
            per_axis_unit=1e3,
            number="{:,.0f}".format,
            is_counted=True,
            is_fixed=True,
            shown=Shown.TABLES,
        ),
        Quantity(
            key="macs",
            column="macs",
            units=COUNT_UNITS,
            name="multiply-accumulates",
            noun="MACs",
            unit="MACs",
            exact_unit="MACs",
            axis="Multiply-accumulates (G)",
            per_axis_unit=1e9,
            number=_short_number,
            is_counted=True,
            shown=Shown.TABLES,
        ),
        Quantity(
            key="memory",
            column="peak_activation_bytes",
            units=BYTE_UNITS,
            name="peak activation memory",
            noun="activation memory",
            unit="activations",
            exact_unit="bytes of activations",
            axis="Peak activation memory (MB)",
            per_axis_unit=1e6,
            number=_bytes_text,
        ),
        Quantity(
            key="weights",
            column="weight_bytes",
            units=BYTE_UNITS,
            name="weights",
            noun="weight memory",
            unit="weights",
            exact_unit="bytes of weights",
            axis="Weights (MB)",
            per_axis_unit=1e6,
            number=_bytes_text,
            is_fixed=True,
            shown=Shown.FILES,
        ),
    )
}


def milliseconds_on(table: str) -> Quantity:
    """The predicted time of one inference on the latency table ``table``."""
    return Quantity(
        key=latency_key(table),
        column=latency_key(table),
        units=TIME_UNITS,
        name=f"milliseconds on {table}",
        noun=f"time on {table}",
        unit=f"ms on {table}",
        exact_unit=f"ms on {table}",
        axis=f"Predicted latency on {table} (ms)",
        per_axis_unit=1.0,
        number=ms_text,
        shown=Shown.TABLES,
    )


def quantity(key: str) -> Quantity:
    """The quantity called ``key`` in ``--budget`` and ``--objective``.

    Raises:
        UserError: ``key`` is unknown.
    """
    table = table_of(key)
    if table is not None:
        return milliseconds_on(table)
    if key not in QUANTITIES:
        raise UserError(f"quantity must be one of {', '.join(QUANTITIES)}, {PREFIX}TABLE, got {key!r}")
    return QUANTITIES[key]


def exact_quantities(shown: Shown) -> tuple[Quantity, ...]:
    """The members of ``QUANTITIES`` that appear where ``shown`` says."""
    return tuple(each for each in QUANTITIES.values() if each.shown >= shown)


def quantities_of(costs: Costs, shown: Shown = Shown.FILES) -> tuple[Quantity, ...]:
    """``exact_quantities``, then the milliseconds on each table for which ``costs`` has a figure."""
    return (*exact_quantities(shown), *map(milliseconds_on, costs.latency))


def exact_cost_texts(costs: Costs, shown: Shown = Shown.SENTENCES) -> list[str]:
    """As ``cost_texts`` without milliseconds, for places where a table of them stands."""
    return [each.text(costs) for each in exact_quantities(shown)]


def cost_texts(costs: Costs, shown: Shown = Shown.SENTENCES) -> list[str]:
    """Each of these quantities with its unit: ``143,755 params``, ``10.19 G MACs``, ``1,482 ms on pixel4-a76``."""
    return [each.text(costs) for each in quantities_of(costs, shown)]
