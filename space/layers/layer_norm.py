"""Layer normalisation of images."""

from __future__ import annotations

from torch import Tensor, nn


class ChannelLayerNorm(nn.LayerNorm):
    """Each pixel's channels to mean 0 and variance 1, then a learned factor and bias per channel.

    `(N, C, H, W)` to the same shape. One layer norm over the last axis of a channels-last view, as in Restormer (Zamir
    et al. 2022); the statistics are of each image itself, so that it does not fold into a convolution.

    Args:
        eps: added to the variance.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__(channels, eps)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
