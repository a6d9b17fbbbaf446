"""SMFANet (Zheng et al., ECCV 2024): self-modulated feature aggregation; the best published under 200K known to us.

Layers are those of `Zheng-MJ/SMFANet` (`basicsr/archs/SMFANet_arch.py`, Apache-2.0), whose released weights work on
RGB in [0, 1]: 197,328 parameters at x4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.layers.pooling import CoarseMaxPool, ImageVariance
from space.layers.unit_length import UnitLength
from space.zoo.published_network import PublishedNetwork
from space.zoo.published_result import Size, reported
from space.zoo.released_layout import ReleasedLayout, scale_by_shuffle

DOWNSCALE = 8  # of the pooled branch
PARTIAL = 4  # one of this many hidden channels sees the partial 3x3 convolution


@dataclass(frozen=True, slots=True)
class SmfanetSettings:
    width: int = 36
    blocks: int = 8
    expansion: int = 2


class _FeatureAggregation(nn.Module):
    """SMFA: half of the channels weighted by what is coarse in them, half by a local mixer. Width to width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.split = nn.Conv2d(width, 2 * width, 1)
        self.pool = CoarseMaxPool(DOWNSCALE)
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.coarse = nn.Conv2d(width, width, 1)
        self.local_in = nn.Sequential(
            nn.Conv2d(width, 2 * width, 3, padding=1, groups=width), nn.Conv2d(2 * width, 2 * width, 1)
        )
        self.local_out = nn.Conv2d(2 * width, width, 1)
        self.last = nn.Conv2d(width, width, 1)
        self.pooled_weight = nn.Parameter(torch.ones(1, width, 1, 1))
        self.variance, self.activation = ImageVariance(), nn.GELU()
        self.variance_weight = nn.Parameter(torch.zeros(1, width, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        local, wide = self.split(x).chunk(2, dim=1)
        height, width = x.shape[2:]
        pooled = self.depthwise(self.pool(wide))  # (N, C, H/8, W/8)
        variance = self.variance(wide)  # (N, C, 1, 1)
        coarse = self.activation(self.coarse(pooled * self.pooled_weight + variance * self.variance_weight))
        modulated = wide * F.interpolate(coarse, size=(height, width), mode="nearest")
        return self.last(modulated + self.local_out(self.activation(self.local_in(local))))


class _PartialFeedForward(nn.Module):
    """PCFN: 1x1 up, GELU, 3x3 with GELU on the first quarter of the channels only, 1x1 down."""

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        hidden = expansion * width
        self.partial = hidden // PARTIAL
        self.up = nn.Conv2d(width, hidden, 1)
        self.conv = nn.Conv2d(self.partial, self.partial, 3, padding=1)
        self.down = nn.Conv2d(hidden, width, 1)
        self.activation = nn.GELU()

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.activation(self.up(x))
        mixed = self.activation(self.conv(hidden[:, : self.partial]))
        return self.down(torch.cat((mixed, hidden[:, self.partial :]), 1))


class _ModulationBlock(nn.Module):
    """FMB: feature aggregation, then feed-forward, each on normalised features and added to them."""

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        self.norm = UnitLength()
        self.aggregation = _FeatureAggregation(width)
        self.feed_forward = _PartialFeedForward(width, expansion)

    def forward(self, x: Tensor) -> Tensor:
        x = self.aggregation(self.norm(x)) + x
        return self.feed_forward(self.norm(x)) + x


class Smfanet(nn.Module):
    """`(N, in, H, W)` in [0, 1] to `(N, out, scale*H, scale*W)`."""

    def __init__(self, shape: IOShape, settings: SmfanetSettings) -> None:
        super().__init__()
        width = settings.width
        self.stem = nn.Conv2d(shape.in_channels, width, 3, padding=1)
        self.blocks = nn.Sequential(*(_ModulationBlock(width, settings.expansion) for _ in range(settings.blocks)))
        self.upsampler = nn.Sequential(
            nn.Conv2d(width, shape.out_channels * shape.scale**2, 3, padding=1), nn.PixelShuffle(shape.scale)
        )

    def forward(self, image: Tensor) -> Tensor:
        features = self.stem(image)
        return self.upsampler(self.blocks(features) + features)


def _smfanet_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """Block i is `feats.{i}` with `smfa` and `pcfn`; the scales of pooling and variance are `alpha` and `belt`."""
    aggregation = {
        "split": "linear_0",
        "coarse": "linear_1",
        "last": "linear_2",
        "depthwise": "dw_conv",
        "local_in": "lde.conv_0",
        "local_out": "lde.conv_1",
        "pooled_weight": "alpha",
        "variance_weight": "belt",
    }
    names = {"stem": "to_feat", "upsampler": "to_img"}
    for index in range(entry.architecture.settings.blocks):
        for ours, theirs in aggregation.items():
            names[f"blocks.{index}.aggregation.{ours}"] = f"feats.{index}.smfa.{theirs}"
        for ours, theirs in {"up": "conv_0", "conv": "conv_1", "down": "conv_2"}.items():
            names[f"blocks.{index}.feed_forward.{ours}"] = f"feats.{index}.pcfn.{theirs}"
    return names


SMFANET = ReleasedLayout(
    _smfanet_names, "Zheng-MJ/SMFANet, basicsr/archs/SMFANet_arch.py", scale_by_shuffle("to_img.0.bias", 3)
)
TABLE_1 = "SMFANet (ECCV 2024), Table 1, as shown in Zheng-MJ/SMFANet figs/CNN_results.png"
RESULTS = (
    *reported(
        "SMFANet",
        "sr",
        TABLE_1,
        {"Set5": (38.04, 0.9606), "Set14": (33.65, 0.9186), "B100": (32.19, 0.8999), "Urban100": (32.22, 0.9283)},
        Size(186_000, 41_000_000_000, "convolution"),
        scale=2,
        note="trained on DIV2K",
    ),
    *reported(
        "SMFANet",
        "sr",
        TABLE_1,
        {"Set5": (32.25, 0.8956), "Set14": (28.67, 0.7825), "B100": (27.61, 0.7371), "Urban100": (26.19, 0.7861)},
        Size(197_000, 11_000_000_000, "convolution"),
        scale=4,
        note="trained on DIV2K",
    ),
    *reported(
        "SMFANet",
        "sr",
        TABLE_1,
        {"Set5": (32.25, 0.8956), "Set14": (28.71, 0.7833), "B100": (27.64, 0.7377), "Urban100": (26.18, 0.7862)},
        Size(197_000, 11_000_000_000, "convolution"),
        scale=4,
        note="trained on DF2K",
    ),
    *reported(
        "SMFANet+",
        "sr",
        "SMFANet (ECCV 2024), as shown in Zheng-MJ/SMFANet",
        {"Set5": 32.51, "Set14": 28.87, "Urban100": 26.56},
        Size(496_000, 28_000_000_000, "convolution"),
        scale=4,
        note="trained on DF2K",
    ),
)


def _entry(name: str, title: str, settings: SmfanetSettings) -> PublishedNetwork:
    return PublishedNetwork(
        name,
        title,
        "sr",
        Architecture(IOShape(3, 3, 4), "smfanet", settings),
        "Zheng et al., ECCV 2024",
        module=Smfanet,
        layouts=(SMFANET,),
        results=tuple(result for result in RESULTS if result.network == title),
    )


NETWORKS = (
    _entry("smfanet", "SMFANet", SmfanetSettings()),
    _entry("smfanet-plus", "SMFANet+", SmfanetSettings(48, 12)),
)
