"""The activations that blocks with a choice of one offer: that of a published network, and a cheap one."""

from __future__ import annotations

from torch import nn

# ReLU is fused into the convolution before it; GELU is an operator, or several, of its own.
ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU}
