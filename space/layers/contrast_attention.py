"""Contrast-aware channel attention (CCA; Hui et al., ACM MM 2019, IMDN)."""

from __future__ import annotations

from torch import Tensor, nn

REDUCTION = 16  # channels per hidden channel
TINY = 1e-24  # keeps the gradient of a deviation of zero finite; its root is below what float32 adds to a feature


class ContrastAttention(nn.Module):
    """Each channel times a weight in (0, 1), computed from the deviations and means of all channels.

    `(N, C, H, W)` to the same shape. Deviation and mean are of the whole image.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weights = nn.Sequential(
            nn.Conv2d(channels, channels // REDUCTION, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // REDUCTION, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        deviation = x.var((2, 3), correction=0, keepdim=True).clamp_min(TINY).sqrt()
        return x * self.weights(deviation + x.mean((2, 3), keepdim=True))
