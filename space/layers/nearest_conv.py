"""A convolution that starts as nearest-neighbour enlargement: the input skip of SPANV2 and PDS (NTIRE 2026)."""

from __future__ import annotations

import torch
from torch import nn

from space.layers.protocols import StartsItself


class NearestConv(nn.Conv2d, StartsItself):
    """`(N, C, H, W)` to `(N, C*scale**2, H, W)`: a 3x3 convolution per channel, without bias.

    Before a pixel shuffle, its initial weights are the nearest enlargement of the image.

    Args:
        learned: whether the weights are trained, or stay what they are initially.
    """

    def __init__(self, channels: int, scale: int, learned: bool = True) -> None:
        super().__init__(channels, channels * scale**2, 3, padding=1, groups=channels, bias=False)
        self.requires_grad_(learned)
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        if self.weight.is_meta:  # where only shapes count
            return
        self.weight.zero_()
        self.weight[:, :, 1, 1] = 1
