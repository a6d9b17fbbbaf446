"""SAFMN (Sun et al., ICCV 2023): spatially-adaptive feature modulation and a convolutional channel mixer.

Layers are those of `sunny2109/SAFMN` (`basicsr/archs/safmn_arch.py`), on RGB in [0, 1]. Features are normalised over
their channels before each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.layers.layer_norm import ChannelLayerNorm
from space.layers.safm import Safm
from space.zoo.published_network import PublishedNetwork
from space.zoo.published_result import Size, reported
from space.zoo.released_layout import ReleasedLayout, scale_by_shuffle
from space.zoo.smfanet import TABLE_1

EPSILON = 1e-6  # of the layer norms


@dataclass(frozen=True, slots=True)
class SafmnSettings:
    width: int = 36
    blocks: int = 8
    expansion: int = 2


class _FeatureMixing(nn.Module):
    """FMM: modulation, then a 3x3 and a 1x1 convolution, each on normalised features and added to them."""

    def __init__(self, width: int, expansion: int) -> None:
        super().__init__()
        self.norm = ChannelLayerNorm(width, EPSILON)
        self.modulation = Safm(width)
        self.mixer_norm = ChannelLayerNorm(width, EPSILON)
        self.mixer = nn.Sequential(
            nn.Conv2d(width, expansion * width, 3, padding=1), nn.GELU(), nn.Conv2d(expansion * width, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.modulation(self.norm(x)) + x
        return self.mixer(self.mixer_norm(x)) + x


class Safmn(nn.Module):
    """`(N, in, H, W)` in [0, 1] to `(N, out, scale*H, scale*W)`."""

    def __init__(self, shape: IOShape, settings: SafmnSettings) -> None:
        super().__init__()
        width = settings.width
        self.stem = nn.Conv2d(shape.in_channels, width, 3, padding=1)
        self.blocks = nn.Sequential(*(_FeatureMixing(width, settings.expansion) for _ in range(settings.blocks)))
        self.upsampler = nn.Sequential(
            nn.Conv2d(width, shape.out_channels * shape.scale**2, 3, padding=1), nn.PixelShuffle(shape.scale)
        )

    def forward(self, image: Tensor) -> Tensor:
        features = self.stem(image)
        return self.upsampler(self.blocks(features) + features)


def _safmn_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """Block i is `feats.{i}` with `norm1`, `safm`, `norm2` and `ccm`."""
    parts = {
        "norm": "norm1",
        "modulation.depthwise": "safm.mfr",
        "modulation.aggregate": "safm.aggr",
        "mixer_norm": "norm2",
        "mixer": "ccm.ccm",
    }
    names = {"stem": "to_feat", "upsampler": "to_img"}
    for index in range(entry.architecture.settings.blocks):
        names |= {f"blocks.{index}.{ours}": f"feats.{index}.{theirs}" for ours, theirs in parts.items()}
    return names


SAFMN = ReleasedLayout(
    _safmn_names, "sunny2109/SAFMN, basicsr/archs/safmn_arch.py", scale_by_shuffle("to_img.0.bias", 3)
)
RESULTS = (
    *reported(
        "SAFMN",
        "sr",
        TABLE_1,
        {"Set5": (38.00, 0.9605), "Set14": (33.54, 0.9177), "B100": (32.16, 0.8995), "Urban100": (31.84, 0.9256)},
        Size(228_000, 52_000_000_000, "convolution"),
        scale=2,
        is_own=False,
    ),
    *reported(
        "SAFMN",
        "sr",
        TABLE_1,
        {"Set5": (32.18, 0.8948), "Set14": (28.60, 0.7813), "B100": (27.58, 0.7359), "Urban100": (25.97, 0.7809)},
        Size(240_000, 14_000_000_000, "convolution"),
        scale=4,
        is_own=False,
    ),
)
NETWORKS = (
    PublishedNetwork(
        "safmn",
        "SAFMN",
        "sr",
        Architecture(IOShape(3, 3, 4), "safmn", SafmnSettings()),
        "Sun et al., arXiv 2302.13800",
        module=Safmn,
        layouts=(SAFMN,),
        results=RESULTS,
    ),
)
