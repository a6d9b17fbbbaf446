"""Padding for networks that need sides of a multiple, and the cut that undoes it."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


def pad_to_multiple(image: Tensor, multiple: int) -> Tensor:
    """`(N, C, H, W)` padded at the right and bottom, by repeating the border, until both sides are multiples.

    An image that already fits is returned unchanged, without an operator.
    """
    height, width = image.shape[-2:]
    right, bottom = -width % multiple, -height % multiple
    return F.pad(image, (0, right, 0, bottom), mode="replicate") if right or bottom else image


class FillUp(nn.Module):
    """``pad_to_multiple`` as a part of a network."""

    def __init__(self, multiple: int) -> None:
        super().__init__()
        self.multiple = multiple

    def forward(self, image: Tensor) -> Tensor:
        return pad_to_multiple(image, self.multiple)


class Cut(nn.Module):
    """Crop ``x`` to ``scale`` times the height and width of ``image``; a view."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor, image: Tensor) -> Tensor:
        return x[..., : image.shape[-2] * self.scale, : image.shape[-1] * self.scale]
