"""FSRCNN (Dong et al., ECCV 2016, arXiv 1608.00367): a narrow body at the input's size, then one large deconvolution.

Layers are those of its common PyTorch form (`yjn870/FSRCNN-pytorch`, `models.py`): 12,809 parameters at (56, 12, 4),
parametric ReLUs and biases included, whatever the scale. It sees luma only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.zoo.counting_rule import CountingRule
from space.zoo.published_network import PublishedNetwork
from space.zoo.published_result import Size, reported
from space.zoo.released_layout import ReleasedLayout
from space.zoo.sources import CARN_TABLE, IMDN_TABLE, SLWSR_TABLE, YJN_NOTE

if TYPE_CHECKING:
    from space.operators.operator import Operator


@dataclass(frozen=True, slots=True)
class FsrcnnSettings:
    """FSRCNN(d, s, m): channels of the features, channels of the mapping, and number of mapping layers."""

    width: int = 56
    shrunk: int = 12
    mappings: int = 4


class Fsrcnn(nn.Module):
    """`(N, in, H, W)` in [0, 1] to `(N, out, scale*H, scale*W)`; ``shape`` is of luma images, 1 to 1 channel."""

    def __init__(self, shape: IOShape, settings: FsrcnnSettings) -> None:
        super().__init__()
        width, shrunk = settings.width, settings.shrunk
        mappings = [
            layer
            for _ in range(settings.mappings)
            for layer in (nn.Conv2d(shrunk, shrunk, 3, padding=1), nn.PReLU(shrunk))
        ]
        self.features = nn.Sequential(nn.Conv2d(shape.in_channels, width, 5, padding=2), nn.PReLU(width))
        self.mapping = nn.Sequential(
            nn.Conv2d(width, shrunk, 1), nn.PReLU(shrunk), *mappings, nn.Conv2d(shrunk, width, 1), nn.PReLU(width)
        )
        self.deconvolution = nn.ConvTranspose2d(
            width, shape.out_channels, 9, stride=shape.scale, padding=4, output_padding=shape.scale - 1
        )

    def forward(self, image: Tensor) -> Tensor:
        return self.deconvolution(self.mapping(self.features(image)))


def _macs_per_output_pixel(operator: Operator) -> int:
    """Multiply-adds with a deconvolution counted as if it ran at its output's size (the CARN paper's table)."""
    return operator.macs * (math.prod(operator.stride) if operator.kind == "conv_transpose" else 1)


DECONVOLUTION_PER_OUTPUT_PIXEL = CountingRule(
    "multiply-adds with a deconvolution counted per output pixel (CARN, table 1)", operator_macs=_macs_per_output_pixel
)


def _fsrcnn_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    return {"features": "first_part", "mapping": "mid_part", "deconvolution": "last_part"}


README = "yjn870/FSRCNN-pytorch, README"
BY_OUTPUT = "convolution, deconvolution per output pixel"
RESULTS = (
    *reported(
        "FSRCNN",
        "sr",
        CARN_TABLE,
        {"Set5": (37.0, 0.9558), "Set14": (32.63, 0.9088), "B100": (31.53, 0.892), "Urban100": (29.88, 0.902)},
        Size(12_000, 6_000_000_000, BY_OUTPUT),
        scale=2,
        is_own=False,
    ),
    *reported(
        "FSRCNN",
        "sr",
        IMDN_TABLE,
        {
            "Set5": (37.0, 0.9558),
            "Set14": (32.63, 0.9088),
            "B100": (31.53, 0.892),
            "Urban100": (29.88, 0.902),
            "Manga109": (36.67, 0.971),
        },
        Size(13_000),
        scale=2,
        is_own=False,
    ),
    *reported("FSRCNN", "sr", README, {"Set5": 36.94}, Size(12_809), scale=2, is_own=False, note=YJN_NOTE),
    *reported(
        "FSRCNN",
        "sr",
        CARN_TABLE,
        {"Set5": (33.16, 0.914), "Set14": (29.43, 0.8242), "B100": (28.53, 0.791), "Urban100": (26.43, 0.808)},
        Size(12_000, 5_000_000_000, BY_OUTPUT),
        scale=3,
        is_own=False,
    ),
    *reported("FSRCNN", "sr", README, {"Set5": 33.06}, Size(12_809), scale=3, is_own=False, note=YJN_NOTE),
    *reported(
        "FSRCNN",
        "sr",
        CARN_TABLE,
        {"Set5": (30.71, 0.8657), "Set14": (27.59, 0.7535), "B100": (26.98, 0.715), "Urban100": (24.62, 0.728)},
        Size(12_000, 4_600_000_000, BY_OUTPUT),
        scale=4,
        is_own=False,
    ),
    *reported(
        "FSRCNN",
        "sr",
        SLWSR_TABLE,
        {"Set5": (30.71, 0.866), "Set14": (27.59, 0.753), "B100": (26.98, 0.715), "Urban100": (24.62, 0.728)},
        Size(12_000, 4_600_000_000, BY_OUTPUT),
        scale=4,
        is_own=False,
    ),
    *reported("FSRCNN", "sr", README, {"Set5": 30.55}, Size(12_809), scale=4, is_own=False, note=YJN_NOTE),
)
NETWORKS = (
    PublishedNetwork(
        "fsrcnn",
        "FSRCNN",
        "sr",
        Architecture(IOShape(1, 1, 4), "fsrcnn", FsrcnnSettings()),
        "Dong et al., arXiv 1608.00367",
        module=Fsrcnn,
        counting_rule=DECONVOLUTION_PER_OUTPUT_PIXEL,
        layouts=(ReleasedLayout(_fsrcnn_names, "yjn870/FSRCNN-pytorch, models.py"),),
        results=RESULTS,
        note="on luma",
    ),
)
