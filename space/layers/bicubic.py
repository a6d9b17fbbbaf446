"""Bicubic enlargement as a convolution, for engines without an operator that computes it as torch does."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

A = -0.5  # of the kernel, as in MATLAB, PIL and torch's antialiased form
REACH = 2  # pixels from the one that an output pixel lies in to the farthest that it reads


def kernel_weight(distance: float) -> float:
    """The cubic convolution kernel at ``distance`` pixels (Keys 1981, with ``A``)."""
    x = abs(distance)
    if x < 1:
        return ((A + 2) * x - (A + 3)) * x * x + 1
    return (((x - 5) * x + 8) * x - 4) * A if x < 2 else 0.0


def phases(scale: int) -> list[list[float]]:
    """`(scale, 5)`: for each of the output pixels within an input pixel, the weights of the pixels it reads."""
    return [
        [kernel_weight(offset - ((phase + 0.5) / scale - 0.5)) for offset in range(-REACH, REACH + 1)]
        for phase in range(scale)
    ]


def edge_factors(side: int, scale: int) -> list[float]:
    """For each output pixel along a side of ``side`` pixels: one over the sum of the weights that fall inside.

    1 but at the ends: what lies outside the image is left out there, and the rest of the weights sums to 1 again.
    """
    factors = []
    for index in range(side * scale):
        at, weights = index // scale, phases(scale)[index % scale]
        inside = (
            weight for offset, weight in zip(range(-REACH, REACH + 1), weights, strict=True) if 0 <= at + offset < side
        )
        factors.append(1 / math.fsum(inside))
    return factors


class ConvolvedBicubic(nn.Module):
    """`(N, channels, H, W)` to `(N, channels, scale*H, scale*W)`: ``F.interpolate(..., "bicubic", antialias=True)``.

    A 5x5 convolution per channel gives the ``scale**2`` output pixels of each input pixel, a pixel shuffle puts them in
    place, and a factor per row and column makes up for the weights that fall outside the image.

    Args:
        size: (width, height) of the input, whose factors are constants; None for any, where they are computed.
    """

    weight: Tensor
    taps: Tensor
    across: Tensor
    down: Tensor

    def __init__(self, channels: int, scale: int, size: tuple[int, int] | None = None) -> None:
        super().__init__()
        self.channels, self.scale, self.size = channels, scale, size
        rows = torch.tensor(phases(scale), dtype=torch.float64)
        both = torch.einsum("py,qx->pqyx", rows, rows).reshape(scale**2, 1, *[2 * REACH + 1] * 2)
        self.register_buffer("weight", both.repeat(channels, 1, 1, 1).float(), persistent=False)
        self.register_buffer("taps", rows[:, None, :].float(), persistent=False)
        if size is not None:
            across, down = (torch.tensor(edge_factors(side, scale), dtype=torch.float64).float() for side in size)
            self.register_buffer("across", across.view(1, 1, 1, -1), persistent=False)
            self.register_buffer("down", down.view(1, 1, -1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        enlarged = F.pixel_shuffle(F.conv2d(image, self.weight, padding=REACH, groups=self.channels), self.scale)
        if self.size is not None:
            return enlarged * self.down * self.across
        rows, columns = image[:, :1, :, :1], image[:, :1, :1, :]
        return enlarged * self._factors(rows.transpose(2, 3)).transpose(2, 3) * self._factors(columns)

    def _factors(self, line: Tensor) -> Tensor:
        """`(N, 1, 1, side)` pixels to the `(N, 1, 1, scale*side)` factors along them, whatever the pixels."""
        ones = line * 0 + 1  # an engine may have no operator for ones
        sums = F.conv2d(ones, self.taps[:, :, None], padding=(0, REACH))  # (N, scale, 1, side)
        return (1 / sums).permute(0, 2, 3, 1).flatten(2)[:, :, None]
