"""CBDNet (Guo et al., CVPR 2019, arXiv 1807.04686), as in `IDKiro/CBDNet-pytorch`, and its light forms.

Five convolutions estimate the noise level at each pixel; a U-Net sees image and estimate and gives the change of the
image. Lahiri et al. (arXiv 2007.05835) do not say which network their denoising baseline of 4.3 million parameters is;
this one fits by its count, and so do its light forms: LIST for every 3x3 convolution of the U-Net but the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.errors import UserError
from space.layers.lightweight import List, ResampledList
from space.layers.protocols import DividesSides, ResidualEnd
from space.zoo.counting_rule import CONVOLUTION_WEIGHTS
from space.zoo.published_network import PublishedNetwork
from space.zoo.released_layout import ReleasedLayout
from space.zoo.sources import IDENTIFIED, LAHIRI_FIGURE, LEVEL_MAP

WIDTHS = (64, 128, 256)  # at full, half and quarter resolution
DEPTHS = (2, 3, 6, 3, 2)  # convolutions at each stage, down and up again
ESTIMATOR_WIDTH, ESTIMATOR_DEPTH = 32, 5


@dataclass(frozen=True, slots=True)
class CbdNetSettings:
    """``convolution``: ``dense`` or ``list``. ``enlargement``: ``transposed`` or ``bilinear-list``.

    Without ``estimator`` the noise level map is an input, after the image: one channel for all of the image's, or one
    for each.
    """

    convolution: str
    enlargement: str
    estimator: bool

    def __post_init__(self) -> None:
        if self.convolution not in ("dense", "list"):
            raise UserError(f"convolutions of CBDNet must be dense or list, got {self.convolution!r}")
        if self.enlargement not in ("transposed", "bilinear-list"):
            raise UserError(f"enlargement in CBDNet must be transposed or bilinear-list, got {self.enlargement!r}")


def _estimator(channels: int) -> nn.Sequential:
    """Five 3x3 convolutions, each with ReLU, from the image to a noise level per channel and pixel."""
    widths = (channels, *[ESTIMATOR_WIDTH] * (ESTIMATOR_DEPTH - 1), channels)
    layers: list[nn.Module] = []
    for index in range(ESTIMATOR_DEPTH):
        layers += [nn.Conv2d(widths[index], widths[index + 1], 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


class CbdNet(nn.Module, ResidualEnd, DividesSides):
    """`(N, in, H, W)` to `(N, out, H, W)`: the restored image, in [0, 1]. Sides of at least 4 pixels.

    The estimate, on which the paper puts losses of its own, is not given out: the output is the image alone.
    """

    def __init__(self, shape: IOShape, settings: CbdNetSettings) -> None:
        super().__init__()
        channels = shape.out_channels
        self.image_channels = channels
        self.estimator = _estimator(channels) if settings.estimator else None
        light = settings.convolution == "list"
        self.first = nn.Conv2d(2 * channels, WIDTHS[0], 3, padding=1)
        self.encoder = nn.ModuleList(
            (
                _stage(WIDTHS[0], WIDTHS[0], DEPTHS[0] - 1, light),
                _stage(WIDTHS[0], WIDTHS[1], DEPTHS[1], light),
                _stage(WIDTHS[1], WIDTHS[2], DEPTHS[2], light),
            )
        )
        self.enlarge = nn.ModuleList(
            nn.ConvTranspose2d(wide, narrow, 2, stride=2)
            if settings.enlargement == "transposed"
            else ResampledList(wide, narrow, 2)
            for wide, narrow in ((WIDTHS[2], WIDTHS[1]), (WIDTHS[1], WIDTHS[0]))
        )
        self.decoder = nn.ModuleList(
            (_stage(WIDTHS[1], WIDTHS[1], DEPTHS[3], light), _stage(WIDTHS[0], WIDTHS[0], DEPTHS[4], light))
        )
        self.last = nn.Conv2d(WIDTHS[0], channels, 1)

    @property
    def residual_end(self) -> nn.Conv2d:
        """The last convolution, which gives the change of the image."""
        return self.last

    @property
    def multiple(self) -> int:
        return 4  # halved twice

    def forward(self, image: Tensor) -> Tensor:
        image, level = image[:, : self.image_channels], image[:, self.image_channels :]
        level = level.expand(-1, self.image_channels, -1, -1) if self.estimator is None else self.estimator(image)
        full = self.encoder[0](F.relu(self.first(torch.cat((image, level), 1))))
        half = self.encoder[1](F.avg_pool2d(full, 2))
        x = self.encoder[2](F.avg_pool2d(half, 2))
        for enlarge, stage, skip in zip(self.enlarge, self.decoder, (half, full), strict=True):
            x = stage(skip + _to_size(enlarge(x), skip))
        return image + self.last(x)


def _stage(in_channels: int, width: int, depth: int, light: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(depth):
        channels = in_channels if index == 0 else width
        layers += [List(channels, width) if light else nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)


def _to_size(x: Tensor, like: Tensor) -> Tensor:
    """``x`` with zeros around it up to the size of ``like``: halving had dropped an odd row or column."""
    rows, columns = like.shape[-2] - x.shape[-2], like.shape[-1] - x.shape[-1]
    if rows == 0 and columns == 0:
        return x
    return F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))


def _cbdnet_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """`model/cbdnet.py`: each stage a row of `single_conv`, whose convolution is `conv.0`."""
    names = {
        "estimator": "fcn.fcn",
        "first": "unet.inc.0.conv.0",
        "encoder.0.0": "unet.inc.1.conv.0",
        "enlarge.0": "unet.up1.up",
        "enlarge.1": "unet.up2.up",
        "last": "unet.outc.conv",
    }
    stages = {
        "encoder.1": ("conv1", 3),
        "encoder.2": ("conv2", 6),
        "decoder.0": ("conv3", 3),
        "decoder.1": ("conv4", 2),
    }
    for ours, (theirs, depth) in stages.items():
        names |= {f"{ours}.{2 * index}": f"unet.{theirs}.{index}.conv.0" for index in range(depth)}
    return names


CODE = "IDKiro/CBDNet-pytorch, model/cbdnet.py"


def _entry(
    name: str,
    title: str,
    settings: CbdNetSettings,
    layouts: tuple[ReleasedLayout, ...] = (),
    light: bool = False,
    note: str = "",
) -> PublishedNetwork:
    return PublishedNetwork(
        name,
        title,
        "denoise",
        Architecture(IOShape(3 if settings.estimator else 4, 3), "cbdnet", settings),
        LAHIRI_FIGURE if light else f"Guo et al., arXiv 1807.04686; {CODE}",
        module=CbdNet,
        counting_rule=CONVOLUTION_WEIGHTS,
        approximation=light,
        runs_with_search=name == "cbdnet-lite",
        layouts=layouts,
        note=note,
    )


NETWORKS = (
    _entry("cbdnet", "CBDNet", CbdNetSettings("dense", "transposed", True), (ReleasedLayout(_cbdnet_names, CODE),)),
    _entry(
        "cbdnet-non-blind", "CBDNet without its estimator", CbdNetSettings("dense", "transposed", False), note=LEVEL_MAP
    ),
    _entry("cbdnet-lite", "CBDNet with LIST", CbdNetSettings("list", "transposed", True), light=True, note=IDENTIFIED),
    _entry(
        "cbdnet-lite-non-blind",
        "CBDNet with LIST, without its estimator",
        CbdNetSettings("list", "transposed", False),
        light=True,
        note=f"{IDENTIFIED}; {LEVEL_MAP}",
    ),
    _entry(
        "cbdnet-lite-bilinear",
        "CBDNet with LIST and bilinear enlargement",
        CbdNetSettings("list", "bilinear-list", True),
        light=True,
        note=f"{IDENTIFIED}, and fits the printed 0.4M less well than cbdnet-lite",
    ),
)
