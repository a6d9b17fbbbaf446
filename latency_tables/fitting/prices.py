"""Which prices a fit determines, and how they add up to the rows of a table.

A price may serve several classes (packing a window costs the same in every convolution); a class's row may be the sum
of two prices (a large depthwise kernel costs what a small one does per MAC, and something more). All are non-negative.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from latency_tables.fitting.measurements import CoreSet
from latency_tables.lowering.operators import EngineOperator
from latency_tables.tables.classes import TERMS, cost_class
from space.errors import UserError

_EVERY_CALL = {"M elements beyond cache": ("beyond cache",), "call": ("call",)}
_WINDOWS = {
    "M window elements": ("window elements",),
    "M window taps": ("window taps",),
    "M written elements": ("convolution output",),
}
CLASS_PRICES: dict[str, dict[str, tuple[str, ...]]] = {
    "conv 1x1": {"GMAC in tiles": ("1x1 GMAC",), **_WINDOWS, "M weights": ("weights",), **_EVERY_CALL},
    "conv larger": {"GMAC in tiles": ("larger GMAC",), **_WINDOWS, "M weights": ("weights",), **_EVERY_CALL},
    "matmul": {"GMAC in tiles": ("1x1 GMAC",), **_WINDOWS, "M weights": ("matmul weights",), **_EVERY_CALL},
    "depthwise_conv 3x3": {"GMAC": ("depthwise GMAC",), "M elements": ("depthwise elements",), **_EVERY_CALL},
    "depthwise_conv larger": {
        "GMAC": ("depthwise GMAC", "larger depthwise GMAC"),
        "M elements": ("depthwise elements",),
        **_EVERY_CALL,
    },
    "grouped_conv": {
        "GMAC": ("grouped GMAC",),
        "M output taps": ("grouped output taps",),
        "M weights": ("weights",),
        **_EVERY_CALL,
    },
    "elementwise": {"M elements": ("elementwise",), **_EVERY_CALL},
    "reduce": {"M elements": ("elementwise",), **_EVERY_CALL},
    "pool": {  # a start per output pixel and tap, as in a convolution, and one operation per output element and tap
        "M elements": ("pool",),
        "M output taps": ("pool taps",),
        "M window taps": ("window taps",),
        **_EVERY_CALL,
    },
    "activation hardswish": {"M elements": ("activation",), **_EVERY_CALL},
    # In the phones' networks only of one pixel, the factors of squeeze-and-excitation: nothing but a call.
    "activation exponential": {"M elements": ("elementwise",), **_EVERY_CALL},
}
PRICES = tuple(dict.fromkeys(name for terms in CLASS_PRICES.values() for names in terms.values() for name in names))
# Prices of passes over elements; none can be below what the core's load and store units can move.
PASSES = ("convolution output", "depthwise elements", "elementwise", "pool", "activation")
BYTES_PER_CYCLE = 32  # two 16-byte accesses a cycle, the most that any of these cores does
BYTES = {"fp32": 4, "int8": 1}


def quantities(networks: Iterable[Iterable[EngineOperator]]) -> np.ndarray:
    """(networks, PRICES): how many units of each price every network needs.

    Raises:
        UserError: an operator of a class that the fit does not know.
    """
    columns = {price: column for column, price in enumerate(PRICES)}
    rows = []
    for operators in networks:
        row = np.zeros(len(PRICES))
        for op in operators:
            name = cost_class(op)
            if name not in CLASS_PRICES:
                raise UserError(f"networks to fit must have operators of {', '.join(CLASS_PRICES)}, got {op}")
            for term, prices in CLASS_PRICES[name].items():
                row[[columns[price] for price in prices]] += TERMS[term](op)
        rows.append(row)
    return np.array(rows)


def least_prices(core_set: CoreSet) -> np.ndarray:
    """(PRICES,) lower bounds: milliseconds per million elements at the core's clock and BYTES_PER_CYCLE."""
    per_million = BYTES[core_set.dtype] / BYTES_PER_CYCLE / core_set.clock_ghz
    return np.array([per_million if price in PASSES else 0.0 for price in PRICES])
