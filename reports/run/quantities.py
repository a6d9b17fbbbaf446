"""Cost words, their fields, their units and how a person reads them."""

from __future__ import annotations

from dataclasses import dataclass

from evaluators.cost import Costs
from evaluators.latency import latency_word, ms_text, table_of
from search.latency import TRAINED_DTYPE
from search.records import RunSettings

SUFFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True, slots=True)
class Quantity:
    """One cost: ``name`` is its word in ``--objective`` and ``--budget``, ``axis`` its label on a plot.

    ``depends_on`` says of milliseconds what they hold for: device, core, threads, number format, engine, input size.
    """

    name: str
    axis: str
    unit: str
    per_unit: float
    depends_on: str = ""

    def of(self, costs: Costs) -> float:
        """The cost in the unit of the axis."""
        return costs.of(self.name) / self.per_unit

    def band(self, costs: Costs) -> tuple[float, float] | None:
        """The ends of a predicted cost's 90 % band in the unit of the axis; None of a cost that is exact."""
        table = table_of(self.name)
        return None if table is None else (costs.latency[table].low, costs.latency[table].high)

    def text(self, costs: Costs) -> str:
        """The cost as a person reads it: ``143,755 params``, ``10.19 G MACs``, ``1,482 ms on pixel4-a76``."""
        return f"{number(costs.of(self.name), self)} {self.unit}"


QUANTITIES = {
    "params": Quantity("params", "Parameters (thousands)", "params", 1e3),
    "macs": Quantity("macs", "Multiply-accumulates (G)", "MACs", 1e9),
    "memory": Quantity("memory", "Peak activation memory (MB)", "activations", 1e6),
    "weights": Quantity("weights", "Weights (MB)", "weights", 1e6),
}


def quantity(word: str, settings: RunSettings) -> Quantity:
    """The cost that ``word`` means in a run."""
    table = table_of(word)
    if table is None:
        return QUANTITIES[word]
    width, height = settings.input_size
    use = next(use for use in settings.tables if use.name == table)
    depends_on = f"{use.caption}, {width}×{height} input"
    if use.dtype != TRAINED_DTYPE:
        depends_on += f" (PSNR is that of the {TRAINED_DTYPE} network: what {use.dtype} does to it was not measured)"
    return Quantity(word, f"Predicted latency on {table} (ms)", f"ms on {table}", 1.0, depends_on)


def latency_quantities(settings: RunSettings) -> tuple[Quantity, ...]:
    """The milliseconds that a run knows, one for each of its latency tables."""
    return tuple(quantity(latency_word(use.name), settings) for use in settings.tables)


def number(value: float, quantity: Quantity) -> str:
    """``value`` of ``quantity``, without the quantity's name: ``143,755``, ``10.19 G``, ``118.0 MB``, ``1,482``."""
    if table_of(quantity.name) is not None:
        return ms_text(value)
    if quantity.name == "params":
        return f"{value:,.0f}"
    if quantity.name == "macs":
        return short(value)
    return f"{value / 1e6:.1f} MB" if value >= 1e6 else f"{value / 1e3:.0f} kB"


def short(value: float) -> str:
    """Three or four digits and a suffix: ``144 k``, ``10.19 G``, ``11 G``."""
    for size, suffix in SUFFIXES:
        if value >= size:
            scaled = value / size
            return f"{scaled:.{2 if scaled < 100 else 0}f}".removesuffix(".00") + f" {suffix}"
    return f"{value:.0f}"


def cost_objectives(settings: RunSettings) -> tuple[Quantity, ...]:
    """The costs that a front is drawn over, in the order asked for; MACs if only quality was asked for."""
    names = [name for name in settings.objectives if name != "psnr"] or ["macs"]
    return tuple(quantity(name, settings) for name in names)


def all_costs(costs: Costs, sep: str = " · ") -> str:
    """Parameters, multiply-accumulates, peak activations and the milliseconds that are known, in one line."""
    return sep.join(cost_parts(costs))


def cost_parts(costs: Costs) -> list[str]:
    """The costs of ``all_costs``, each with its unit."""
    exact = [QUANTITIES[name].text(costs) for name in ("params", "macs", "memory")]
    return [*exact, *(f"{ms_text(figure.ms)} ms on {table}" for table, figure in costs.latency.items())]


def cost_ticks(low: float, high: float) -> list[float]:
    """Round numbers from ``low`` to ``high`` for a logarithmic axis, few enough to be written side by side."""
    steps = (1, 2, 5) if high < 700 * low else (1, 3) if high < 5000 * low else (1,)
    ticks = [step * 10.0**power for power in range(-6, 13) for step in steps]
    return [tick for tick in ticks if low <= tick <= high]
