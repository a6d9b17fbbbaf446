"""Layer norm over channels (Ba et al. 2016), of features that stay channels first."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from space.layers.protocols import Foldable

EPSILON = 1e-6  # added to the variance


class ChannelNorm(nn.Module, Foldable):
    """Each pixel's channels with mean 0 and variance 1, times a factor, plus a shift. `(N, C, H, W)` to the same shape.

    Written out: torch's own layer norm normalises last dimensions, and so needs two transpositions.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        x = x - x.mean(1, keepdim=True)
        x = x / ((x * x).mean(1, keepdim=True) + EPSILON).sqrt()
        return x * _per_channel(self.weight) + _per_channel(self.bias)

    @torch.no_grad()
    def fold(self) -> None:
        """Store factor and shift in the shape in which they are used."""
        self.weight = nn.Parameter(_per_channel(self.weight))
        self.bias = nn.Parameter(_per_channel(self.bias))


def _per_channel(values: Tensor) -> Tensor:
    """`(C)` as `(C, 1, 1)`, which multiplies features; what has that shape already, without an operator."""
    return values if values.ndim == 3 else values.view(-1, 1, 1)
