"""ESA and LIA with a coarse map of exactly one value for 6x6 pixels.

As published, windows are not padded, and what they leave is stretched to the image: where a value lies depends on the
image's size, and small images have none. Here windows are padded and the map is enlarged 6 times and cut, so that tiles
that begin at multiples of 6 pixels give what the whole image gives, and any image has a map. This is ours.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.layers.esa import STRIDE, WINDOW, EnhancedSpatialAttention
from space.layers.local_importance_attention import LocalImportanceAttention
from space.layers.protocols import DividesSides, StartsItself
from space.layers.weight_and_bias import weight_and_bias

DOWNSCALE = 2 * STRIDE  # of a strided convolution and a pooling
REDUCTION, HIDDEN = 4, 8  # a quarter of the channels (RFANet, Liu et al., CVPR 2020), in multiples of 8


def hidden_for(channels: int) -> int:
    """Channels of the coarse map over ``channels``: of fewer than 64, 8."""
    return HIDDEN * max(1, channels // (REDUCTION * HIDDEN))


def enlarged(coarse: Tensor, x: Tensor) -> Tensor:
    """`(N, C, ceil(H / 6), ceil(W / 6))` to the sides of `(N, any, H, W)` features ``x``."""
    wide = F.interpolate(coarse, scale_factor=DOWNSCALE, mode="bilinear", align_corners=False)
    return wide[..., : x.shape[2], : x.shape[3]]


class _Aligned(DividesSides):
    @property
    def multiple(self) -> int:
        return DOWNSCALE


class AlignedSpatialAttention(EnhancedSpatialAttention, _Aligned):
    """ESA of RLFN with a quarter of the channels: `(N, C, H, W)` to the same shape."""

    def __init__(self, channels: int) -> None:
        hidden = hidden_for(channels)
        super().__init__(channels, hidden, nn.Conv2d(hidden, hidden, 3, stride=2, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.squeeze(x)
        pooled = F.max_pool2d(self.strided(hidden), WINDOW, STRIDE, padding=WINDOW // 2)
        return x * torch.sigmoid(self.expand(enlarged(self.coarse(pooled), x) + self.local(hidden)))


class _PaddedSoftPool(nn.Module):
    """Mean of each window, weighted by the exponential of its values. `(N, C, H, W)` to `(N, C, H/3, W/3)`, rounded up.

    What is padded has no weight.
    """

    def forward(self, x: Tensor) -> Tensor:
        weights = torch.exp(x)
        of_values, of_weights = (F.avg_pool2d(each, WINDOW, STRIDE, WINDOW // 2) for each in (weights * x, weights))
        return of_values / of_weights


class AlignedImportanceAttention(LocalImportanceAttention, _Aligned, StartsItself):
    """LIA of PlainUSR with a quarter of the channels: `(N, C, H, W)` to the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, hidden_for(channels))
        self.importance[1] = _PaddedSoftPool()

    @torch.no_grad()
    def reset(self) -> None:
        """Start with the biases alone before the soft pooling, which then is a mean.

        Features of random networks with many passes are several thousand, and exp(89) is no float32: one of 250 plain
        ones gave NaN for a first image.
        """
        weight_and_bias(self.importance[0])[0].zero_()

    def forward(self, x: Tensor) -> Tensor:
        return x * enlarged(self.importance(x), x) * torch.sigmoid(x[:, :1])
