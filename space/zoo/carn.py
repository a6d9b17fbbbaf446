"""CARN-M (Ahn et al., ECCV 2018, arXiv 1803.08664): cascading blocks that reuse one grouped residual block each.

Layers are those of `nmhkahn/CARN-pytorch` (`carn/model/carn_m.py`, `ops.py`), with four groups. One trained network
there holds the upsamplers of x2, x3 and x4: 414,811 parameters (412K in the paper); a deployed one holds its own
only, 294,171 at x4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.errors import UserError
from space.layers.image_ends import MeanShift
from space.layers.upsamplers import STEPS
from space.zoo.counting_rule import CountingRule
from space.zoo.published_network import PublishedNetwork
from space.zoo.published_result import Size, reported
from space.zoo.released_layout import ReleasedLayout
from space.zoo.sources import CARN_TABLE, SLWSR_TABLE

CASCADE = 3  # blocks of a cascade; every one is followed by a 1x1 convolution over all results so far
SCALES = (2, 3, 4)


@dataclass(frozen=True, slots=True)
class CarnSettings:
    width: int = 64
    groups: int = 4


class _EfficientBlock(nn.Module):
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


class _Cascade(nn.Module):
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
        self.settings = settings
        width, groups = settings.width, settings.groups
        self.shift_in = MeanShift(-1)
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.trunk = _Cascade(width, [_Cascade(width, [_EfficientBlock(width, groups)]) for _ in range(CASCADE)])
        self.upsampler = upsampler(width, groups, shape.scale)
        self.last = nn.Conv2d(width, 3, 3, padding=1)
        self.shift_out = MeanShift(1)

    def forward(self, image: Tensor) -> Tensor:
        features = self.trunk(self.stem(self.shift_in(image)))
        return self.shift_out(self.last(self.upsampler(features)))


def _multi_scale_parameters(network: nn.Module) -> int:
    """What the published network stores, which holds the upsamplers of all three scales."""
    assert isinstance(network, CarnM)
    others = [upsampler(network.settings.width, network.settings.groups, scale) for scale in SCALES]
    counts = [sum(p.numel() for p in part.parameters()) for part in (network, network.upsampler, *others)]
    return counts[0] - counts[1] + sum(counts[2:])


ALL_SCALES = CountingRule(
    "parameters of the network that serves x2, x3 and x4 with three upsamplers", params=_multi_scale_parameters
)


def _carn_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """Block i is `b{i}`, its one residual block `b1`, and the 1x1 convolutions of both levels `c{i}.body.0`."""
    names = {
        "shift_in": "sub_mean.shifter",
        "stem": "entry",
        "upsampler": f"upsample.up{scale}.body",
        "last": "exit",
        "shift_out": "add_mean.shifter",
    }
    for index in range(CASCADE):
        names[f"trunk.fuses.{index}"] = f"c{index + 1}.body"
        names[f"trunk.blocks.{index}.blocks.0.body"] = f"b{index + 1}.b1.body"
        for inner in range(CASCADE):
            names[f"trunk.blocks.{index}.fuses.{inner}"] = f"b{index + 1}.c{inner + 1}.body"
    return names


CARN = ReleasedLayout(
    _carn_names,
    "nmhkahn/CARN-pytorch, carn/model/carn_m.py and ops.py",
    unused=lambda scale: tuple(f"upsample.up{other}." for other in SCALES if other != scale),
)
MULTI_SCALE = "params of the multi-scale network (scales 2, 3 and 4 together)"
RESULTS = (
    *reported(
        "CARN-M",
        "sr",
        CARN_TABLE,
        {"Set5": (37.53, 0.9583), "Set14": (33.26, 0.9141), "B100": (31.92, 0.896), "Urban100": (31.23, 0.9193)},
        Size(412_000, 91_200_000_000, "convolution"),
        scale=2,
        note=MULTI_SCALE,
    ),
    *reported(
        "CARN-M",
        "sr",
        CARN_TABLE,
        {"Set5": (33.99, 0.9236), "Set14": (30.08, 0.8367), "B100": (28.91, 0.8), "Urban100": (27.55, 0.8385)},
        Size(412_000, 46_100_000_000, "convolution"),
        scale=3,
        note=MULTI_SCALE,
    ),
    *reported(
        "CARN-M",
        "sr",
        CARN_TABLE,
        {"Set5": (31.92, 0.8903), "Set14": (28.42, 0.7762), "B100": (27.44, 0.7304), "Urban100": (25.62, 0.7694)},
        Size(412_000, 32_500_000_000, "convolution"),
        scale=4,
        note=MULTI_SCALE,
    ),
    *reported(
        "CARN-M",
        "sr",
        SLWSR_TABLE,
        {"Set5": (31.92, 0.89), "Set14": (28.42, 0.776), "B100": (27.44, 0.73), "Urban100": (25.63, 0.769)},
        Size(412_000, 18_300_000_000, "not stated"),
        scale=4,
        is_own=False,
    ),
)
NETWORKS = (
    PublishedNetwork(
        "carn-m",
        "CARN-M",
        "sr",
        Architecture(IOShape(3, 3, 4), "carn-m", CarnSettings()),
        "Ahn et al., arXiv 1803.08664",
        module=CarnM,
        counting_rule=ALL_SCALES,
        layouts=(CARN,),
        results=RESULTS,
        note="one scale's upsampler is deployed",
    ),
)
