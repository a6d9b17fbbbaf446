"""Cost classes: the operators that a fitted table prices alike, and the terms that make up a price.

A class's cost is a sum of terms with non-negative prices. Every term grows with channels and with pixels, and no class
ends at a number of channels or pixels, so no fitted table can make a larger operator cheaper than a smaller one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from latency_tables.lowering.operators import EngineOperator

TILE = 8  # output channels that a phone's matrix kernels compute together; the last tile costs as much as a full one
# Beyond it an operator's activations no longer stay in a core's own cache: 0.8 MB in fp32, the middle of these phones'
# 0.25 to 2 MB. Fits with 0.1 to 0.4 predict about equally well.
CACHED_M_ELEMENTS = 0.2

TERMS: dict[str, Callable[[EngineOperator], float]] = {
    "GMAC": lambda op: op.macs / 1e9,
    "GMAC in tiles": lambda op: op.macs / op.out_channels * TILE * math.ceil(op.out_channels / TILE) / 1e9,
    # Each output pixel's window copied from the input into a matrix's row, and that row packed for the kernel.
    "M window elements": lambda op: op.in_channels * op.taps * op.pixels / 1e6,
    # One copy per output pixel and tap, however few channels it moves: what makes narrow layers and stems dear.
    "M window taps": lambda op: op.taps * op.pixels / 1e6,
    # One start of an accumulation per output element and tap: what groups of few channels cost.
    "M output taps": lambda op: op.out_channels * op.taps * op.pixels / 1e6,
    # What a transposed convolution adds up: every input pixel writes a window of the output.
    "M scattered elements": lambda op: op.out_channels * op.taps * op.pixels / math.prod(op.stride) / 1e6,
    "M pixels": lambda op: op.pixels / 1e6,
    "M written elements": lambda op: op.written_elements / 1e6,
    "M elements": lambda op: (op.read_elements + op.written_elements) / 1e6,
    "M elements beyond cache": lambda op: max(0.0, (op.read_elements + op.written_elements) / 1e6 - CACHED_M_ELEMENTS),
    "M weights": lambda op: op.weights / 1e6,
    "call": lambda op: 1.0,
}

SMALL_KERNEL = 9  # taps: engines have special kernels for depthwise 3x3
SAME_COST = {
    # One pass that reads and writes as an addition does; all of these are in the phones' networks.
    "add": "elementwise",
    "multiply": "elementwise",
    "concat": "elementwise",
    "pad": "elementwise",
    # The copies of a concatenation, the other way round.
    "copy slice": "elementwise",
    "copy plain": "elementwise",
}
SAME_FUNCTION = {
    "relu6": "relu",
    "hardtanh": "relu",
    "clamp": "relu",
    "leaky_relu": "prelu",
    "hardsigmoid": "hardswish",
    "sigmoid": "exponential",
    "tanh": "exponential",
    "silu": "exponential",
    "elu": "exponential",
    "mish": "gelu",
    "softplus": "gelu",
}


# The largest kernels of the networks that the shipped tables are fitted to, in taps; none of them is dilated.
SEEN_TAPS = {"conv": 49, "depthwise_conv": 49, "grouped_conv": 9, "pool": 9}


def beyond_seen(op: EngineOperator) -> float:
    """How many times larger the window of ``op`` is, dilation included, than those that a table was fitted to, or 1.

    A kernel of another size than those seen, of grouped 1x1 for one, is between or below them and is not beyond.
    """
    window = op.taps * math.prod(op.dilation)
    return max(1.0, math.prod(op.dilation), window / SEEN_TAPS.get(op.kind, window))


def is_pixelwise(op: EngineOperator) -> bool:
    """Whether it is a matrix product that applies the same weights at many pixels, as a 1x1 convolution does."""
    return op.kind == "matmul" and op.pixels > 1 and op.read_elements == op.pixels * op.in_channels


def cost_class(op: EngineOperator) -> str:
    """The class whose rows price ``op``, such as ``conv 1x1``, ``elementwise`` or ``activation prelu``."""
    if op.kind == "conv":
        return "conv 1x1" if op.taps == 1 else "conv larger"
    if op.kind == "depthwise_conv":
        return "depthwise_conv 3x3" if op.taps <= SMALL_KERNEL else "depthwise_conv larger"
    if is_pixelwise(op):
        return "conv 1x1"
    if op.kind == "pad" and op.function:
        return "pad mirrored"
    same = SAME_COST.get(op.kind) or SAME_COST.get(f"{op.kind} {op.function}")
    if same:
        return same
    if op.kind == "elementwise":
        return "traffic"  # anything from a negation to a power: only bounded
    if op.kind == "activation":
        return f"activation {SAME_FUNCTION.get(op.function, op.function)}"
    if op.kind == "resize":
        return f"resize {op.function}"
    if op.kind == "norm":
        return "norm batch_norm" if op.function == "batch_norm" else "norm"
    return op.kind
