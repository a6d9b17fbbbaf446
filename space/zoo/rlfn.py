"""RLFN (Kong et al., CVPRW 2022, arXiv 2205.07514): three 3x3 convolutions a block, a skip, spatial attention.

Layers are those of `bytedance/RLFN` (`model/block.py`, Apache-2.0). RLFN-NTIRE is the pruned network that won the
runtime track of the NTIRE 2022 challenge on efficient super-resolution.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.layers.esa import EnhancedSpatialAttention
from space.zoo.published_network import PublishedNetwork
from space.zoo.released_layout import ReleasedLayout, scale_by_shuffle

SLOPE = 0.05  # of every leaky ReLU


@dataclass(frozen=True, slots=True)
class RlfnSettings:
    """``width`` channels between blocks, ``inner`` ones between the convolutions of a block."""

    width: int
    inner: int
    blocks: int = 6


class _LocalFeatureBlock(nn.Module):
    """RLFB. `(N, width, H, W)` to the same shape."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inp, out in ((width, inner), (inner, inner), (inner, width)):
            layers += [nn.Conv2d(inp, out, 3, padding=1), nn.LeakyReLU(SLOPE, inplace=True)]
        self.convs = nn.Sequential(*layers)
        self.fuse = nn.Conv2d(width, width, 1)
        self.attention = EnhancedSpatialAttention(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(self.fuse(self.convs(x) + x))


class Rlfn(nn.Module):
    """`(N, in, H, W)` in [0, 1] to `(N, out, scale*H, scale*W)`."""

    def __init__(self, shape: IOShape, settings: RlfnSettings) -> None:
        super().__init__()
        width = settings.width
        self.stem = nn.Conv2d(shape.in_channels, width, 3, padding=1)
        self.blocks = nn.Sequential(*(_LocalFeatureBlock(width, settings.inner) for _ in range(settings.blocks)))
        self.smooth = nn.Conv2d(width, width, 3, padding=1)
        self.upsampler = nn.Sequential(
            nn.Conv2d(width, shape.out_channels * shape.scale**2, 3, padding=1), nn.PixelShuffle(shape.scale)
        )

    def forward(self, image: Tensor) -> Tensor:
        features = self.stem(image)
        return self.upsampler(self.smooth(self.blocks(features)) + features)


def _rlfn_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """Block i is `block_{i}` with `c1_r` to `c3_r`, `c5` and `esa`."""
    parts = {
        "convs.0": "c1_r",
        "convs.2": "c2_r",
        "convs.4": "c3_r",
        "fuse": "c5",
        "attention.squeeze": "esa.conv1",
        "attention.strided": "esa.conv2",
        "attention.coarse": "esa.conv3",
        "attention.local": "esa.conv_f",
        "attention.expand": "esa.conv4",
    }
    names = {"stem": "conv_1", "smooth": "conv_2", "upsampler": "upsampler"}
    for index in range(entry.architecture.settings.blocks):
        names |= {f"blocks.{index}.{ours}": f"block_{index + 1}.{theirs}" for ours, theirs in parts.items()}
    return names


# The repository's test scripts give the network images of 0..255.
RLFN = ReleasedLayout(
    _rlfn_names,
    "bytedance/RLFN, model/rlfn.py, rlfn_s.py and rlfn_ntire.py",
    scale_by_shuffle("upsampler.0.bias", 3),
    pixel_range=255,
    ends=("stem", "upsampler.0"),
)


def _entry(name: str, title: str, settings: RlfnSettings) -> PublishedNetwork:
    return PublishedNetwork(
        name,
        title,
        "sr",
        Architecture(IOShape(3, 3, 4), "rlfn", settings),
        "Kong et al., arXiv 2205.07514",
        module=Rlfn,
        layouts=(RLFN,),
    )


NETWORKS = (
    _entry("rlfn-s", "RLFN-S", RlfnSettings(48, 48)),
    _entry("rlfn", "RLFN", RlfnSettings(52, 52)),
    _entry("rlfn-ntire", "RLFN-NTIRE", RlfnSettings(46, 48, 4)),
)
