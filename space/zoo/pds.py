"""PDS (NTIRE 2026 Efficient SR, team 01): SPAN's blocks on the image itself, and a tail of 20 channels.

Layers are those of `Amazingren/NTIRE2026_ESR` (`models/team01_PDS.py`, MIT), which has the deploy form only: 141,748
parameters at x4, on RGB in [0, 1]. The first block takes the colours and has no attention. The nearest enlargement of
the input, the first block and the last are mixed to the few channels of the tail. That enlargement is a convolution
whose released weights are exactly its initial ones, so it is not trained here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.layers.conv3xc import Conv3XC
from space.layers.nearest_conv import NearestConv
from space.layers.spab import Spab
from space.zoo.measured_result import measured
from space.zoo.published_network import PublishedNetwork
from space.zoo.released_layout import ReleasedLayout, scale_by_shuffle
from space.zoo.sources import NTIRE_2026
from space.zoo.span import conv3xc_names, spab_names


@dataclass(frozen=True, slots=True)
class PdsSettings:
    """``tail`` channels of ``width`` remain before the last convolution."""

    width: int = 32
    blocks: int = 5
    tail: int = 20


class Pds(nn.Module):
    """`(N, in, H, W)` in [0, 1] to `(N, out, scale*H, scale*W)`."""

    def __init__(self, shape: IOShape, settings: PdsSettings) -> None:
        super().__init__()
        width, scale = settings.width, shape.scale
        self.near = NearestConv(shape.in_channels, scale, learned=False)
        self.first = Spab(width, shape.in_channels)
        self.blocks = nn.Sequential(*(Spab(width) for _ in range(settings.blocks - 1)))
        self.join = nn.Conv2d(shape.in_channels * scale**2 + 2 * width, settings.tail, 1)
        self.last = Conv3XC(settings.tail, shape.out_channels * scale**2)
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, image: Tensor) -> Tensor:
        first = self.first(image)
        joined = torch.cat((self.near(image), self.blocks(first), first), 1)
        return self.shuffle(self.last(self.join(joined)))


def _pds_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """The blocks are `block_1` and so on; each convolution that can fold is an `eval_conv`."""
    names = {"near": "conv_near", "join": "conv_cat_1"} | conv3xc_names("last", "conv_2_1")
    names |= spab_names("first", "block_1")
    for index in range(entry.architecture.settings.blocks - 1):
        names |= spab_names(f"blocks.{index}", f"block_{index + 2}")
    return names


NETWORKS = (
    PublishedNetwork(
        "pds",
        "PDS",
        "sr",
        Architecture(IOShape(3, 3, 4), "pds", PdsSettings()),
        "NTIRE 2026 Efficient SR, team 01",
        module=Pds,
        layouts=(
            ReleasedLayout(
                _pds_names,
                "Amazingren/NTIRE2026_ESR, models/team01_PDS.py",
                scale_by_shuffle("conv_2_1.eval_conv.bias", 3),
                folded=True,
            ),
        ),
        measured=measured("PDS", "pds-x4.pth", NTIRE_2026, {"Set5": 31.76, "Set14": 28.37}, params=141_748),
        note="deployed as plain 3x3 convolutions, trained here as Conv3XC",
    ),
)
