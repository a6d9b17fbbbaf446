"""Attention over a coarse map: what is strong in an eighth of the image weights its pixels.

The form is that of VSCINet and ZenoSR (NTIRE 2026), there VCSA, variance-guided contextual spatial attention; it is
a narrower relative of the first half of SMFANet's feature aggregation (Zheng et al., ECCV 2024).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.layers.pooling import CoarseMaxPool, ImageVariance
from space.layers.unit_length import UnitLength

DOWNSCALE = 8  # of the pooled map


class CoarseAttention(nn.Module):
    """VCSA: features times a coarse map made of their maxima and their variance, added to the input.

    `(N, width, H, W)` to the same shape. The variance is that of the whole image, which tiles of it do not have.

    Args:
        hidden: channels in which attention works; half of ``width`` if None.
        weighted: with learned factors per channel on maxima and variance (VSCINet), or their plain sum (ZenoSR).
    """

    def __init__(self, width: int, hidden: int | None = None, weighted: bool = True) -> None:
        super().__init__()
        hidden = width // 2 if hidden is None else hidden
        self.norm, self.variance, self.activation = UnitLength(), ImageVariance(), nn.GELU()
        self.squeeze = nn.Conv2d(width, hidden, 1, bias=False)
        self.pool = CoarseMaxPool(DOWNSCALE)
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden, bias=False)
        self.coarse = nn.Conv2d(hidden, hidden, 1, bias=False)
        self.expand = nn.Conv2d(hidden, width, 1, bias=False)
        self.pooled_weight = nn.Parameter(torch.ones(1, hidden, 1, 1)) if weighted else None
        self.variance_weight = nn.Parameter(torch.zeros(1, hidden, 1, 1)) if weighted else None

    def forward(self, x: Tensor) -> Tensor:
        features = self.squeeze(self.norm(x))
        pooled = self.depthwise(self.pool(features))  # (N, hidden, H/8, W/8)
        variance = self.variance(features)  # (N, hidden, 1, 1)
        if self.pooled_weight is not None and self.variance_weight is not None:
            pooled, variance = pooled * self.pooled_weight, variance * self.variance_weight
        coarse = self.activation(self.coarse(pooled + variance))
        return self.expand(features * F.interpolate(coarse, size=x.shape[2:], mode="nearest")) + x
