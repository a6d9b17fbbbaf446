"""Cost classes: the operators that a fitted table prices alike, and the terms that make up a price.

A class's cost is a sum of terms with non-negative prices. Every term grows with channels and with pixels, so no fitted
table can make a larger operator cheaper than a smaller one.
"""

from __future__ import annotations

from collections.abc import Callable

from latency_tables.operators import EngineOperator

TERMS: dict[str, Callable[[EngineOperator], float]] = {
    "GMAC": lambda op: op.macs / 1e9,
    # Each output pixel's window gathered from the input (im2col): dear where few output channels share it.
    "G input taps": lambda op: op.in_channels * op.taps * op.pixels / 1e9,
    # One start of an accumulation per output and tap: dear where few input channels follow it.
    "G output taps": lambda op: op.out_channels * op.taps * op.pixels / 1e9,
    "M elements": lambda op: (op.read_elements + op.written_elements) / 1e6,
    "M weights": lambda op: op.weights / 1e6,
    "call": lambda op: 1.0,
}


def cost_class(op: EngineOperator) -> str:
    """The class whose rows price ``op``."""
    if op.kind == "conv":
        if op.taps == 1:
            return "conv 1x1"
        size = "3x3" if op.kernel == (3, 3) else "larger"
        return f"conv {size}" + (" strided" if op.stride != (1, 1) else "")
    return " ".join(filter(None, (op.kind, op.function)))
