"""CARN-M (Ahn et al., ECCV 2018, arXiv 1803.08664): cascading blocks that reuse one grouped residual block each.

Layers are those of `nmhkahn/CARN-pytorch` (`carn/model/carn_m.py`, `ops.py`), with four groups. One trained network
there holds the upsamplers of x2, x3 and x4: 414,811 parameters (412K in the paper); a deployed one holds its own
only, 294,171 at x4.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from space.architecture import IOShape
from space.errors import UserError
from space.layers.image_ends import MeanShift
from space.layers.upsamplers import STEPS

CASCADE = 3  # blocks of a cascade; every one is followed by a 1x1 convolution over all results so far
SCALES = (2, 3, 4)


@dataclass(frozen=True, slots=True)
class CarnSettings:
    width: int = 64
    groups: int = 4


class EfficientBlock(nn.Module):
    """Two grouped 3x3 and one 1x1 convolution with ReLU between, plus input, ReLU. `(N, width, H, W)` to the same."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=groups),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, groups=groups),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.body(x) + x)


class Cascade(nn.Module):
    """Blocks one after the other, each result joined to all before it and fused by a 1x1 convolution with ReLU."""

    def __init__(self, width: int, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.fuses = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width * (2 + index), width, 1), nn.ReLU(inplace=True)) for index in range(CASCADE)
        )

    def forward(self, x: Tensor) -> Tensor:
        joined = x
        for index, fuse in enumerate(self.fuses):
            joined = torch.cat((joined, self.blocks[index % len(self.blocks)](x)), 1)
            x = fuse(joined)
        return x


def upsampler(width: int, groups: int, scale: int) -> nn.Sequential:
    """Grouped 3x3 convolution, ReLU and pixel shuffle per step."""
    layers: list[nn.Module] = []
    for factor in STEPS[scale]:
        layers += [nn.Conv2d(width, width * factor**2, 3, padding=1, groups=groups), nn.ReLU(inplace=True)]
        layers.append(nn.PixelShuffle(factor))
    return nn.Sequential(*layers)


class CarnM(nn.Module):
    """`(N, 3, H, W)` RGB in [0, 1] to `(N, 3, scale*H, scale*W)`.

    Raises:
        UserError: the images are not RGB: the fixed mean shift is of three channels.
    """

    def __init__(self, shape: IOShape, settings: CarnSettings) -> None:
        super().__init__()
        if (shape.in_channels, shape.out_channels) != (3, 3):
            raise UserError(
                f"CARN-M works on RGB: channels must be 3 to 3, got {shape.in_channels} to {shape.out_channels}"
            )
        width, groups = settings.width, settings.groups
        self.shift_in = MeanShift(-1)
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.trunk = Cascade(width, [Cascade(width, [EfficientBlock(width, groups)]) for _ in range(CASCADE)])
        self.upsampler = upsampler(width, groups, shape.scale)
        self.last = nn.Conv2d(width, 3, 3, padding=1)
        self.shift_out = MeanShift(1)

    def forward(self, image: Tensor) -> Tensor:
        features = self.trunk(self.stem(self.shift_in(image)))
        return self.shift_out(self.last(self.upsampler(features)))


def multi_scale_parameters(network: nn.Module) -> int:
    """What the published network stores, which holds the upsamplers of all three scales."""
    width, groups = network.stem.out_channels, network.upsampler[0].groups
    others = [upsampler(width, groups, scale) for scale in SCALES]
    counts = [sum(p.numel() for p in part.parameters()) for part in (network, network.upsampler, *others)]
    return counts[0] - counts[1] + sum(counts[2:])
