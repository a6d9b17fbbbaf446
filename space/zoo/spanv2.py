"""SPANV2 (NTIRE 2026 Efficient SR, team 22, first): SPAN with ReLU, learned attention and an enlarged input skip.

Layers are those of `Amazingren/NTIRE2026_ESR` (`models/team22_SPANV2_ESR.py`, MIT): 139,104 parameters at x4, on RGB
in [0, 1]. The released code has plain convolutions under the name Conv3XC; they are trained here as SPAN's. Its CUDA
kernel for the attention computes the same up to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.layers.nearest_conv import NearestConv
from space.layers.spabv2 import SpabV2
from space.zoo.measured_result import measured
from space.zoo.published_network import PublishedNetwork
from space.zoo.released_layout import ReleasedLayout, scale_by_shuffle
from space.zoo.sources import NTIRE_2026


@dataclass(frozen=True, slots=True)
class SpanV2Settings:
    width: int = 32
    blocks: int = 5


class SpanV2(nn.Module):
    """`(N, in, H, W)` in [0, 1] to `(N, out, scale*H, scale*W)`."""

    def __init__(self, shape: IOShape, settings: SpanV2Settings) -> None:
        super().__init__()
        width, scale = settings.width, shape.scale
        self.near = NearestConv(shape.in_channels, scale)
        self.blocks = nn.Sequential(
            SpabV2(width, shape.in_channels), *(SpabV2(width) for _ in range(settings.blocks - 1))
        )
        joined = shape.in_channels * scale**2 + width
        self.depthwise = nn.Conv2d(joined, joined, 3, padding=1, groups=joined, bias=False)
        self.pointwise = nn.Conv2d(joined, shape.out_channels * scale**2, 1, bias=False)
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, image: Tensor) -> Tensor:
        joined = torch.cat((self.near(image), self.blocks(image)), 1)  # (N, in * scale**2 + width, H, W)
        return self.shuffle(self.pointwise(self.depthwise(joined)))


def _spanv2_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """Block i is `block_{i + 1}`, with `c1`, `c2`, `c3` and the 1x1 convolution `guidance_map_conv`."""
    names = {"near": "conv_near", "depthwise": "depthwise_conv", "pointwise": "pointwise_conv"}
    for block in range(entry.architecture.settings.blocks):
        ours, theirs = f"blocks.{block}", f"block_{block + 1}"
        names[f"{ours}.guidance"] = f"{theirs}.guidance_map_conv"
        for index, part in enumerate(("first", "second", "third"), start=1):
            names[f"{ours}.{part}.plain"] = f"{theirs}.c{index}.conv"
    return names


NETWORKS = (
    PublishedNetwork(
        "spanv2",
        "SPANV2",
        "sr",
        Architecture(IOShape(3, 3, 4), "spanv2", SpanV2Settings()),
        "NTIRE 2026 Efficient SR, team 22",
        module=SpanV2,
        layouts=(
            ReleasedLayout(
                _spanv2_names,
                "Amazingren/NTIRE2026_ESR, models/team22_SPANV2_ESR.py",
                scale_by_shuffle("conv_near.weight", 3),
                folded=True,
            ),
        ),
        measured=measured("SPANV2", "spanv2-x4.pth", NTIRE_2026, {"Set5": 31.77, "Set14": 28.39}, params=139_104),
        note="deployed as plain 3x3 convolutions; how the authors trained them is not published, here it is as Conv3XC",
    ),
)
