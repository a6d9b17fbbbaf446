"""DISP (NTIRE 2026 Efficient SR, team 18), the architecture of TSSR (NTIRE 2025, team 58): residual 3x3 convolutions.

Layers are those of `Amazingren/NTIRE2026_ESR` (`models/team18_DISP.py`) and `Amazingren/NTIRE2025_ESR`
(`models/team58_TSSR.py`), MIT: 163,792 parameters at x4, on RGB in [0, 1]. Both have plain convolutions only, and say
nothing of another form for training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.layers.upsamplers import DenseOneStep
from space.zoo.measured_result import measured
from space.zoo.published_network import PublishedNetwork
from space.zoo.released_layout import ReleasedLayout, scale_by_shuffle
from space.zoo.sources import NTIRE_2026

CONVOLUTIONS = ("c1_r", "c2_r", "_extern_conv_block.0", "c3_r")  # of a block, in running order


@dataclass(frozen=True, slots=True)
class DispSettings:
    width: int = 32
    blocks: int = 4


class _ResidualBlock(nn.Module):
    """REECB: x plus four 3x3 convolutions with SiLU after each. `(N, width, H, W)` to the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in CONVOLUTIONS)

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for conv in self.convs:
            y = F.silu(conv(y))
        return y + x


class Disp(nn.Module):
    """`(N, in, H, W)` in [0, 1] to `(N, out, scale*H, scale*W)`."""

    def __init__(self, shape: IOShape, settings: DispSettings) -> None:
        super().__init__()
        width = settings.width
        self.stem = nn.Conv2d(shape.in_channels, width, 3, padding=1)
        self.blocks = nn.Sequential(*(_ResidualBlock(width) for _ in range(settings.blocks)))
        self.mix = nn.Conv2d(width, width, 1)
        self.upsampler = DenseOneStep(width, width, shape.out_channels, shape.scale)

    def forward(self, image: Tensor) -> Tensor:
        features = self.stem(image)
        return self.upsampler(self.mix(self.blocks(features)) + features)


def _disp_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """Every 3x3 convolution but the last is an `eval_conv`; a block's third one is called external."""
    names = {"stem": "conv_1.eval_conv", "mix": "conv_2", "upsampler.last": "upsampler.0"}
    for block in range(entry.architecture.settings.blocks):
        for index, conv in enumerate(CONVOLUTIONS):
            names[f"blocks.{block}.convs.{index}"] = f"blocks.{block}.{conv}.eval_conv"
    return names


NETWORKS = (
    PublishedNetwork(
        "disp",
        "DISP",
        "sr",
        Architecture(IOShape(3, 3, 4), "disp", DispSettings()),
        "NTIRE 2026 Efficient SR, team 18",
        module=Disp,
        layouts=(
            ReleasedLayout(
                _disp_names, "Amazingren/NTIRE2026_ESR, models/team18_DISP.py", scale_by_shuffle("upsampler.0.bias", 3)
            ),
        ),
        measured=measured("DISP", "disp-x4.pth", NTIRE_2026, {"Set5": 31.94, "Set14": 28.47}, params=163_792),
    ),
)
