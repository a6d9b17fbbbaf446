"""FFDNet (Zhang et al., TIP 2018, arXiv 1710.04026), as in `cszn/KAIR`: half resolution, told the noise level."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.layers.padding import pad_to_multiple
from space.layers.protocols import DividesSides
from space.zoo.published_network import PublishedNetwork
from space.zoo.published_result import ON_GREY, ON_RGB, Size, reported
from space.zoo.released_layout import ReleasedLayout
from space.zoo.sources import DPIR_COLOUR, DPIR_GREY, LEVEL_MAP, PARAMS_COUNTED

HALF = 2  # the image is rearranged to half its sides


@dataclass(frozen=True, slots=True)
class FfdNetSettings:
    """``layers`` convolutions of 3x3, ``width`` channels between them."""

    width: int
    layers: int


class FfdNet(nn.Module, DividesSides):
    """`(N, image channels + 1, H, W)` to `(N, image channels, H, W)`, images in [0, 1].

    The last input channel is the noise level map: the standard deviation of the noise at each pixel, on the image's
    scale (25 / 255 for sigma 25). The paper's map is constant; of one that varies, the mean over 2x2 pixels is used,
    the map at the size at which the network works. Sides that are odd are extended by one pixel and cut again.
    """

    def __init__(self, shape: IOShape, settings: FfdNetSettings) -> None:
        super().__init__()
        self.image_channels = shape.out_channels
        rearranged = shape.out_channels * HALF**2
        levels = shape.in_channels - shape.out_channels
        widths = (rearranged + levels, *[settings.width] * (settings.layers - 1), rearranged)
        self.layers = nn.ModuleList(
            nn.Conv2d(widths[index], widths[index + 1], 3, padding=1) for index in range(settings.layers)
        )

    @property
    def multiple(self) -> int:
        return HALF

    def forward(self, image_and_level: Tensor) -> Tensor:
        height, width = image_and_level.shape[-2:]
        padded = pad_to_multiple(image_and_level, HALF)
        image, level = padded[:, : self.image_channels], padded[:, self.image_channels :]
        x = torch.cat((F.pixel_unshuffle(image, HALF), F.avg_pool2d(level, HALF)), 1)
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return F.pixel_shuffle(self.layers[-1](x), HALF)[..., :height, :width]


def _ffdnet_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """A plain row of convolutions; the authors' constant noise level becomes our map."""
    return {f"layers.{index}": f"model.{2 * index}" for index in range(entry.architecture.settings.layers)}


KAIR = "cszn/KAIR, models/network_ffdnet.py"
RESULTS = (
    *reported(
        "FFDNet",
        "denoise",
        DPIR_GREY,
        {
            ("Set12", "15"): 32.75,
            ("Set12", "25"): 30.43,
            ("Set12", "50"): 27.32,
            ("BSD68", "15"): 31.63,
            ("BSD68", "25"): 29.19,
            ("BSD68", "50"): 26.29,
        },
        Size(485_316),
        metric=ON_GREY,
        is_own=False,
        note=PARAMS_COUNTED,
    ),
    *reported(
        "FFDNet (color)",
        "denoise",
        DPIR_COLOUR,
        {
            ("CBSD68", "15"): 33.87,
            ("CBSD68", "25"): 31.21,
            ("CBSD68", "50"): 27.96,
            ("Kodak24", "15"): 34.63,
            ("Kodak24", "25"): 32.13,
            ("Kodak24", "50"): 28.98,
            ("McMaster", "15"): 34.66,
            ("McMaster", "25"): 32.35,
            ("McMaster", "50"): 29.18,
        },
        Size(852_108),
        metric=ON_RGB,
        is_own=False,
        note=PARAMS_COUNTED,
    ),
)


def _entry(name: str, title: str, shape: IOShape, settings: FfdNetSettings) -> PublishedNetwork:
    return PublishedNetwork(
        name,
        title,
        "denoise",
        Architecture(shape, "ffdnet", settings),
        f"Zhang et al., arXiv 1710.04026; {KAIR}",
        module=FfdNet,
        layouts=(ReleasedLayout(_ffdnet_names, KAIR),),
        results=tuple(result for result in RESULTS if result.network == title),
        note=LEVEL_MAP,
    )


NETWORKS = (
    _entry("ffdnet", "FFDNet", IOShape(2, 1), FfdNetSettings(64, 15)),
    _entry("ffdnet-color", "FFDNet (color)", IOShape(4, 3), FfdNetSettings(96, 12)),
)
