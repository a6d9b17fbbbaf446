"""Channel and spatial attention, alone or one after the other, and two that look at a coarse map.

Channel attention is the squeeze and excitation of Hu et al. 2018, spatial attention that of CBAM (Woo et al. 2018). The
progressive deblurring paper (JEIT210298, abstract) names both, in this order, without their form. ESA and LIA
are those of ``space.layers.aligned_attention``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from space.errors import UserError
from space.layers.aligned_attention import AlignedImportanceAttention, AlignedSpatialAttention

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


KINDS: dict[str, Callable[[int], nn.Module]] = {
    "channel": ChannelAttention,
    "spatial": lambda _: SpatialAttention(),
    "esa": AlignedSpatialAttention,
    "lia": AlignedImportanceAttention,
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
