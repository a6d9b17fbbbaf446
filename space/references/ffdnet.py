"""FFDNet (Zhang et al., TIP 2018, arXiv 1710.04026), as in `cszn/KAIR`: half resolution, told the noise level."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.architecture import IOShape
from space.layers.padding import pad_to_multiple

HALF = 2  # the image is rearranged to half its sides


@dataclass(frozen=True, slots=True)
class FfdNetSettings:
    """``layers`` convolutions of 3x3, ``width`` channels between them."""

    width: int
    layers: int


class FfdNet(nn.Module):
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

    def forward(self, image_and_level: Tensor) -> Tensor:
        height, width = image_and_level.shape[-2:]
        padded = pad_to_multiple(image_and_level, HALF)
        image, level = padded[:, : self.image_channels], padded[:, self.image_channels :]
        x = torch.cat((F.pixel_unshuffle(image, HALF), F.avg_pool2d(level, HALF)), 1)
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return F.pixel_shuffle(self.layers[-1](x), HALF)[..., :height, :width]
