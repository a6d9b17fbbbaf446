"""SPABV2, the block of SPANV2 (NTIRE 2026, team 22): SPAB with ReLU, and its attention from a 1x1 convolution."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from space.layers.conv3xc import Conv3XC


class SpabV2(nn.Module):
    """Three 3x3 convolutions with ReLU between them give d; the result is (x + d) * conv1x1(d).

    `(N, in, H, W)` to `(N, width, H, W)`. Where the channels change there is nothing to add to, and the result is
    ReLU(d). Only the 1x1 convolution has a bias unless ``bias``.

    Args:
        width: channels of all three convolutions.
        in_channels: of x; ``width`` if None.
        convolution: from channels in, channels out and ``bias`` to a 3x3 convolution.
        linear: without ReLU; the attention stays.
    """

    def __init__(
        self,
        width: int,
        in_channels: int | None = None,
        bias: bool = False,
        convolution: Callable[[int, int, bool], nn.Module] = Conv3XC,
        linear: bool = False,
    ) -> None:
        super().__init__()
        in_channels = width if in_channels is None else in_channels
        self.first = convolution(in_channels, width, bias)
        self.second = convolution(width, width, bias)
        self.third = convolution(width, width, bias)
        self.linear = linear
        self.guidance = nn.Conv2d(width, width, 1) if in_channels == width else None

    def forward(self, x: Tensor) -> Tensor:
        d = self.third(self._between(self.second(self._between(self.first(x)))))
        return F.relu(d) if self.guidance is None else (x + d) * self.guidance(d)

    def _between(self, x: Tensor) -> Tensor:
        return x if self.linear else F.relu(x)
