"""The denoiser of IRCNN (Zhang et al., CVPR 2017, arXiv 1704.03264), as in `cszn/KAIR`: batch norm already folded."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from space.architecture import IOShape
from space.layers.protocols import ResidualEnd


@dataclass(frozen=True, slots=True)
class IrCnnSettings:
    """One 3x3 convolution for each of ``dilations``, ``width`` channels between them."""

    width: int = 64
    dilations: tuple[int, ...] = (1, 2, 3, 4, 3, 2, 1)


class IrCnn(nn.Module, ResidualEnd):
    """`(N, in, H, W)` to the same shape: the noisy image minus the predicted noise, images in [0, 1].

    The authors trained one network for each noise level (steps of 2 from 2 to 50).
    """

    def __init__(self, shape: IOShape, settings: IrCnnSettings) -> None:
        super().__init__()
        widths = (shape.in_channels, *[settings.width] * (len(settings.dilations) - 1), shape.out_channels)
        self.layers = nn.ModuleList(
            nn.Conv2d(widths[index], widths[index + 1], 3, padding=dilation, dilation=dilation)
            for index, dilation in enumerate(settings.dilations)
        )

    @property
    def residual_end(self) -> nn.Conv2d:
        """The last convolution, which gives the change of the image."""
        return self.layers[-1]

    def forward(self, image: Tensor) -> Tensor:
        x = image
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return image - self.layers[-1](x)
