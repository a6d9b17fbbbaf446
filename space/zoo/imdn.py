"""IMDN (Hui et al., ACM MM 2019, arXiv 1909.11856): information multi-distillation blocks.

Layers are those of `Zheng222/IMDN` (`model/architecture.py`, `model/block.py`), whose released weights work on RGB in
[0, 1]: 694,404, 703,059 and 715,176 parameters at x2, x3 and x4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.layers.contrast_attention import ContrastAttention
from space.zoo.published_network import PublishedNetwork
from space.zoo.published_result import Size, reported
from space.zoo.released_layout import ReleasedLayout, scale_by_shuffle
from space.zoo.sources import IMDN_TABLE

SLOPE = 0.05  # of every leaky ReLU
KEPT = 4  # one of this many channels is kept by each step of a block


@dataclass(frozen=True, slots=True)
class ImdnSettings:
    width: int = 64
    blocks: int = 6


class _DistillationBlock(nn.Module):
    """Three convolutions that each keep a quarter of their channels and pass on the rest, and one that keeps all."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.kept = width // KEPT
        passed = width - self.kept
        self.steps = nn.ModuleList(
            nn.Sequential(nn.Conv2d(channels, width, 3, padding=1), nn.LeakyReLU(SLOPE, inplace=True))
            for channels in (width, passed, passed)
        )
        self.last = nn.Conv2d(passed, self.kept, 3, padding=1)
        self.attention = ContrastAttention(KEPT * self.kept)
        self.fuse = nn.Conv2d(KEPT * self.kept, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept, passed = [], x
        for step in self.steps:
            features = step(passed)
            kept.append(features[:, : self.kept])
            passed = features[:, self.kept :]
        joined = torch.cat((*kept, self.last(passed)), 1)
        return self.fuse(self.attention(joined)) + x


class Imdn(nn.Module):
    """`(N, in, H, W)` in [0, 1] to `(N, out, scale*H, scale*W)`."""

    def __init__(self, shape: IOShape, settings: ImdnSettings) -> None:
        super().__init__()
        width = settings.width
        self.stem = nn.Conv2d(shape.in_channels, width, 3, padding=1)
        self.blocks = nn.ModuleList(_DistillationBlock(width) for _ in range(settings.blocks))
        self.fuse = nn.Sequential(nn.Conv2d(width * settings.blocks, width, 1), nn.LeakyReLU(SLOPE, inplace=True))
        self.smooth = nn.Conv2d(width, width, 3, padding=1)
        self.upsampler = nn.Sequential(
            nn.Conv2d(width, shape.out_channels * shape.scale**2, 3, padding=1), nn.PixelShuffle(shape.scale)
        )

    def forward(self, image: Tensor) -> Tensor:
        features = self.stem(image)
        results, x = [], features
        for block in self.blocks:
            x = block(x)
            results.append(x)
        return self.upsampler(self.smooth(self.fuse(torch.cat(results, 1))) + features)


def _imdn_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """Block i is `IMDB{i}` with `c1` to `c3` that keep and pass on, `c4`, attention `cca.conv_du`, and `c5`."""
    names = {"stem": "fea_conv", "fuse": "c", "smooth": "LR_conv", "upsampler": "upsampler"}
    for index in range(entry.architecture.settings.blocks):
        ours, theirs = f"blocks.{index}", f"IMDB{index + 1}"
        names |= {f"{ours}.steps.{step}.0": f"{theirs}.c{step + 1}" for step in range(3)}
        names |= {f"{ours}.last": f"{theirs}.c4", f"{ours}.fuse": f"{theirs}.c5"}
        names[f"{ours}.attention.weights"] = f"{theirs}.cca.conv_du"
    return names


IMDN = ReleasedLayout(
    _imdn_names, "Zheng222/IMDN, model/architecture.py and block.py", scale_by_shuffle("upsampler.0.bias", 3)
)
RESULTS = reported(
    "IMDN",
    "sr",
    IMDN_TABLE,
    {
        "Set5": (38.0, 0.9605),
        "Set14": (33.63, 0.9177),
        "B100": (32.19, 0.8996),
        "Urban100": (32.17, 0.9283),
        "Manga109": (38.88, 0.9774),
    },
    Size(694_000),
    scale=2,
)
NETWORKS = (
    PublishedNetwork(
        "imdn",
        "IMDN",
        "sr",
        Architecture(IOShape(3, 3, 4), "imdn", ImdnSettings()),
        "Hui et al., arXiv 1909.11856",
        module=Imdn,
        layouts=(IMDN,),
        results=RESULTS,
    ),
)
