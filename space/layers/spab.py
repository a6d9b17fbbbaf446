"""SPAB, the swift parameter-free attention block of SPAN (Wan et al., arXiv 2311.12770)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.layers.conv3xc import Conv3XC


class Spab(nn.Module):
    """Three 3x3 convolutions with SiLU between them give d; the result is (x + d) * (sigmoid(d) - 0.5).

    `(N, in, H, W)` to `(N, width, H, W)`. Where the channels change there is nothing to add to, and the result is d.
    The steps are ``activated``, what the first convolution gives, which SPAN also reads, and ``attended``, the rest.

    Args:
        width: channels of all three convolutions.
        in_channels: of x; ``width`` if None.
    """

    first: nn.Module

    def __init__(self, width: int, in_channels: int | None = None, bias: bool = True) -> None:
        super().__init__()
        in_channels = width if in_channels is None else in_channels
        self.first = Conv3XC(in_channels, width, bias)
        self.second = Conv3XC(width, width, bias)
        self.third = Conv3XC(width, width, bias)
        self.adds = in_channels == width

    def forward(self, x: Tensor) -> Tensor:
        return self.attended(x, self.activated(x))

    def activated(self, x: Tensor) -> Tensor:
        """`(N, in, H, W)` to the `(N, width, H, W)` activations of the first convolution."""
        return F.silu(self.first(x))

    def attended(self, x: Tensor, activated: Tensor) -> Tensor:
        """The block's result for its input ``x`` and what ``activated`` gives for that."""
        d = self.third(F.silu(self.second(activated)))
        return (x + d) * (torch.sigmoid(d) - 0.5) if self.adds else d
