"""Division of vectors in a feature map by their L2 length.

It is written as a division by a root of a sum: mobile converters have no norm over channels.
"""

from __future__ import annotations

from torch import Tensor, nn

EPSILON = 1e-12  # smallest length that is divided by, as in torch's normalize


def unit_length(x: Tensor, dims: tuple[int, ...] = (1,)) -> Tensor:
    """`(N, C, H, W)` divided by its L2 length over ``dims``: by default each pixel's channels."""
    return x / (x * x).sum(dims, keepdim=True).clamp_min(EPSILON**2).sqrt()


class UnitLength(nn.Module):
    """Every pixel's channels divided by their L2 length: `(N, C, H, W)` to the same shape, without weights."""

    def forward(self, x: Tensor) -> Tensor:
        return unit_length(x)
