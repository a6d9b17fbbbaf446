"""Channel and spatial attention, alone or one after the other, and two that look at a coarse map.

Channel attention is the squeeze and excitation of Hu et al. 2018, spatial attention that of CBAM (Woo et al. 2018). The
progressive deblurring paper (JEIT210298, abstract) names both, in this order, without their form. ESA is that of RLFN, LIA that of PlainUSR (``space.layers.esa``,
``space.layers.local_importance_attention``).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from space.errors import UserError
from space.layers.esa import EnhancedSpatialAttention
from space.layers.local_importance_attention import LocalImportanceAttention

# By value of the knob ``attention``, the kinds of attention in running order.
ATTENTIONS: dict[str, tuple[str, ...]] = {
    "none": (),
    "channel": ("channel",),
    "spatial": ("spatial",),
    "both": ("channel", "spatial"),
    "esa": ("esa",),
    "lia": ("lia",),
}
REDUCTION = 16  # channels per hidden channel (Hu et al. 2018); at least FEWEST_HIDDEN remain
FEWEST_HIDDEN = 4
SPATIAL_KERNEL = 7  # Woo et al. 2018
COARSE_REDUCTION, COARSE_HIDDEN = 4, 8  # of ESA and LIA: a quarter (RFANet, Liu et al. 2020), in multiples of 8


class ChannelAttention(nn.Module):
    """Squeeze and excitation: each channel times a weight in (0, 1), computed from all channel means.

    `(N, C, H, W)` to the same shape.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(FEWEST_HIDDEN, channels // REDUCTION)
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, hidden, 1),
            nn.ReLU(),
            nn.Conv2d(hidden, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weigh(x)


class SpatialAttention(nn.Module):
    """Each pixel times a weight in (0, 1), computed from the mean and the maximum over channels.

    `(N, C, H, W)` to the same shape.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 1, SPATIAL_KERNEL, padding=SPATIAL_KERNEL // 2)

    def forward(self, x: Tensor) -> Tensor:
        described = torch.cat((x.mean(1, keepdim=True), x.amax(1, keepdim=True)), 1)
        return x * torch.sigmoid(self.conv(described))


def coarse_hidden(channels: int) -> int:
    """Channels inside of an ESA or LIA over ``channels``."""
    return COARSE_HIDDEN * max(1, channels // (COARSE_REDUCTION * COARSE_HIDDEN))


def esa(channels: int) -> nn.Module:
    """Enhanced spatial attention: `(N, channels, H, W)` to the same shape.

    Its strided convolution is padded, which that of RLFN is not, so that no image is too small.
    """
    hidden = coarse_hidden(channels)
    return EnhancedSpatialAttention(channels, hidden, nn.Conv2d(hidden, hidden, 3, stride=2, padding=1))


def lia(channels: int) -> nn.Module:
    """Local importance attention: `(N, channels, H, W)` to the same shape."""
    return LocalImportanceAttention(channels, coarse_hidden(channels))


KINDS: dict[str, Callable[[int], nn.Module]] = {
    "channel": ChannelAttention,
    "spatial": lambda _: SpatialAttention(),
    "esa": esa,
    "lia": lia,
}


def attention(kind: str, channels: int) -> nn.Module:
    """The attention of one ``kind`` in ``KINDS``: `(N, channels, H, W)` to the same shape."""
    return KINDS[kind](channels)


def kinds_of(name: str) -> tuple[str, ...]:
    """The kinds of attention that ``name`` means, in running order.

    Raises:
        UserError: ``name`` is unknown.
    """
    if name not in ATTENTIONS:
        raise UserError(f"unknown attention {name!r}; known: {', '.join(ATTENTIONS)}")
    return ATTENTIONS[name]
