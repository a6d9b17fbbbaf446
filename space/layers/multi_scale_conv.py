"""Depthwise kernels of several shapes side by side (VSCINet, NTIRE 2026), after the Inception networks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.errors import UserError

BRANCHES = 4


class MultiScaleConv(nn.Module):
    """A 1x1 convolution, then a depthwise one in four shapes, each of a quarter of the channels.

    `(N, in, H, W)` to `(N, channels, H, W)`. In order, for ``kernel_size`` 3: 3x3, 5x3 (5 high), 3x5, and 3x3 twice.

    Args:
        in_channels: ``channels`` if None.
        bias: of the depthwise convolutions; the released ones have none.
        activation: of what is given, if any. It stands in front of the concatenation, where engines make a ReLU a part
            of the convolution.

    Raises:
        UserError: ``channels`` is not a multiple of 4.
    """

    def __init__(
        self,
        channels: int,
        kernel_size: int = 3,
        in_channels: int | None = None,
        bias: bool = False,
        activation: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if channels % BRANCHES:
            raise UserError(f"channels of multi-scale convolutions must be a multiple of {BRANCHES}, got {channels}")
        part, short, long = channels // BRANCHES, kernel_size, 2 * kernel_size - 1

        def depthwise(height: int, width: int) -> nn.Conv2d:
            return nn.Conv2d(part, part, (height, width), padding=(height // 2, width // 2), groups=part, bias=bias)

        self.pointwise = nn.Conv2d(channels if in_channels is None else in_channels, channels, 1, bias=False)
        self.branches = nn.ModuleList(
            (
                depthwise(short, short),
                depthwise(long, short),
                depthwise(short, long),
                nn.Sequential(depthwise(short, short), depthwise(short, short)),
            )
        )
        self.activation = activation

    def forward(self, x: Tensor) -> Tensor:
        parts = self.pointwise(x).chunk(BRANCHES, 1)
        found = [branch(part) for branch, part in zip(self.branches, parts, strict=True)]
        if self.activation is not None:
            found = [self.activation(each) for each in found]
        return torch.cat(found, 1)


class MultiScaleResidual(MultiScaleConv):
    """MSRB: GELU of the sum of a multi-scale convolution and its input."""

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(super().forward(x) + x)
