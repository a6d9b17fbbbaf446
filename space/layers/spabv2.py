"""SPABV2, the block of SPANV2 (NTIRE 2026, team 22): SPAB with ReLU, and its attention from a 1x1 convolution."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor, nn

from space.layers.conv3xc import Conv3XC
from space.layers.spab import ThreeConvolutions


class SpabV2(ThreeConvolutions):
    """Three 3x3 convolutions with ReLU between them give d; the result is (x + d) * conv1x1(d).

    Where the channels change there is nothing to add to, and the result is ReLU(d). Only the 1x1 convolution has a bias
    unless ``bias``.
    """

    @staticmethod
    def activate(x: Tensor) -> Tensor:
        return F.relu(x)

    def __init__(
        self,
        width: int,
        in_channels: int | None = None,
        bias: bool = False,
        convolution: Callable[[int, int, bool], nn.Module] = Conv3XC,
        linear: bool = False,
    ) -> None:
        super().__init__(width, in_channels, bias, convolution, linear)
        self.guidance = nn.Conv2d(width, width, 1) if self.adds else None

    def forward(self, x: Tensor) -> Tensor:
        d = self.third(self._between(self.second(self._between(self.first(x)))))
        return F.relu(d) if self.guidance is None else (x + d) * self.guidance(d)
