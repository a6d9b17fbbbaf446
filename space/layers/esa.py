"""Enhanced spatial attention (ESA; Liu et al., CVPR 2020, RFANet), in the forms of RLFN and BSRN."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.layers.bsconv import BsConv
from space.layers.pooling import window_within

WINDOW, STRIDE = 7, 3  # of the max pooling


class EnhancedSpatialAttention(nn.Module):
    """Each value times a weight in (0, 1), computed at a sixth of the sides and enlarged bilinearly.

    `(N, C, H, W)` to the same shape: 1x1 to ``hidden`` channels, 3x3 of stride 2 without padding, max pooling, 3x3,
    enlargement; added to a 1x1 convolution of the hidden channels, 1x1 back, sigmoid. On images with a side below 15
    pixels the pooling's window is smaller.

    Args:
        hidden: channels inside.
        strided: `(N, hidden, H, W)` to `(N, hidden, (H - 1) // 2, (W - 1) // 2)`; a dense 3x3 if None.
        coarse: `(N, hidden, h, w)` to the same shape, after the pooling; one dense 3x3 if None, as in RLFN.
    """

    def __init__(
        self, channels: int, hidden: int = 16, strided: nn.Module | None = None, coarse: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.strided = nn.Conv2d(hidden, hidden, 3, stride=2) if strided is None else strided
        self.coarse = nn.Conv2d(hidden, hidden, 3, padding=1) if coarse is None else coarse
        self.local = nn.Conv2d(hidden, hidden, 1)
        self.expand = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.squeeze(x)
        strided = self.strided(hidden)
        coarse = self.coarse(F.max_pool2d(strided, window_within(strided, WINDOW), STRIDE))
        wide = F.interpolate(coarse, size=x.shape[2:], mode="bilinear", align_corners=False)
        return x * torch.sigmoid(self.expand(wide + self.local(hidden)))


def blueprint_esa(
    channels: int, hidden: int, dense_stride: bool = False, bias: bool = False
) -> EnhancedSpatialAttention:
    """ESA of BSRN: three blueprint convolutions after the pooling, with GELU between, and a strided one before it.

    Args:
        dense_stride: a dense strided convolution, as in BSRN-S.
        bias: of the 1x1 in each blueprint convolution, as in BSRN-S.
    """
    coarse = nn.Sequential(
        BsConv(hidden, hidden, pointwise_bias=bias),
        nn.GELU(),
        BsConv(hidden, hidden, pointwise_bias=bias),
        nn.GELU(),
        BsConv(hidden, hidden, pointwise_bias=bias),
    )
    strided = None if dense_stride else BsConv(hidden, hidden, pointwise_bias=bias, stride=2, padding=0)
    return EnhancedSpatialAttention(channels, hidden, strided, coarse)
