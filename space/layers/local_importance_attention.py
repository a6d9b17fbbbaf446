"""Local importance-based attention (LIA; Wang et al., ACCV 2024, arXiv 2409.13435, PlainUSR)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.layers.pooling import window_within

WINDOW, STRIDE = 7, 3  # of the soft pooling


class SoftPool(nn.Module):
    """Mean of each window, weighted by the exponential of its values. `(N, C, H, W)` to a third of the sides.

    The window is cut to the image where that has a side below 7 pixels.
    """

    def forward(self, x: Tensor) -> Tensor:
        weights, window = torch.exp(x), window_within(x, WINDOW)
        return F.avg_pool2d(weights * x, window, STRIDE) / F.avg_pool2d(weights, window, STRIDE)


class LocalImportanceAttention(nn.Module):
    """The input times a coarse map of importance per channel and a fine gate, both in (0, 1).

    `(N, C, H, W)` to the same shape. The map is computed at a sixth of the sides: 1x1 to ``hidden`` channels, soft
    pooling, 3x3 of stride 2, 3x3, sigmoid; it is enlarged bilinearly. The gate is the sigmoid of the first channel.
    """

    def __init__(self, channels: int, hidden: int = 16) -> None:
        super().__init__()
        self.importance = nn.Sequential(
            nn.Conv2d(channels, hidden, 1),
            SoftPool(),
            nn.Conv2d(hidden, hidden, 3, stride=2, padding=1),
            nn.Conv2d(hidden, channels, 3, padding=1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        importance = F.interpolate(self.importance(x), size=x.shape[2:], mode="bilinear", align_corners=False)
        return x * importance * torch.sigmoid(x[:, :1])
