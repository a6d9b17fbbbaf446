"""The denoiser of IRCNN (Zhang et al., CVPR 2017, arXiv 1704.03264), as in `cszn/KAIR`: batch norm already folded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.layers.protocols import ResidualEnd
from space.zoo.published_network import PublishedNetwork
from space.zoo.published_result import ON_GREY, ON_RGB, Size, reported
from space.zoo.released_layout import ReleasedLayout
from space.zoo.sources import DPIR_COLOUR, DPIR_GREY, KAIR_DNCNN, PARAMS_COUNTED


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
    def residual_end(self) -> nn.Module:
        """The last convolution, which gives the change of the image."""
        return self.layers[-1]

    def forward(self, image: Tensor) -> Tensor:
        x = image
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return image - self.layers[-1](x)


def _ircnn_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """A plain row of convolutions.

    A file is a dictionary of 25 state dicts, one for each noise level: `FILE#12` is the one at the key 12.
    """
    layers = len(entry.architecture.settings.dilations)
    return {f"layers.{index}": f"model.{2 * index}" for index in range(layers)}


RESULTS = (
    *reported(
        "IRCNN",
        "denoise",
        DPIR_GREY,
        {
            ("Set12", "15"): 32.77,
            ("Set12", "25"): 30.38,
            ("Set12", "50"): 27.14,
            ("BSD68", "15"): 31.63,
            ("BSD68", "25"): 29.15,
            ("BSD68", "50"): 26.19,
        },
        Size(185_857),
        metric=ON_GREY,
        is_own=False,
        note=PARAMS_COUNTED,
    ),
    *reported(
        "IRCNN (color)",
        "denoise",
        DPIR_COLOUR,
        {
            ("CBSD68", "15"): 33.86,
            ("CBSD68", "25"): 31.16,
            ("CBSD68", "50"): 27.86,
            ("Kodak24", "15"): 34.69,
            ("Kodak24", "25"): 32.18,
            ("Kodak24", "50"): 28.93,
            ("McMaster", "15"): 34.58,
            ("McMaster", "25"): 32.18,
            ("McMaster", "50"): 28.91,
        },
        Size(188_163),
        metric=ON_RGB,
        is_own=False,
        note=PARAMS_COUNTED,
    ),
)


def _entry(name: str, title: str, shape: IOShape) -> PublishedNetwork:
    return PublishedNetwork(
        name,
        title,
        "denoise",
        Architecture(shape, "ircnn", IrCnnSettings()),
        f"Zhang et al., arXiv 1704.03264; {KAIR_DNCNN}",
        module=IrCnn,
        layouts=(ReleasedLayout(_ircnn_names, KAIR_DNCNN),),
        results=tuple(result for result in RESULTS if result.network == title),
        note="as released, with batch norm folded; one network for each noise level",
    )


NETWORKS = (_entry("ircnn", "IRCNN", IOShape(1, 1)), _entry("ircnn-color", "IRCNN (color)", IOShape(3, 3)))
