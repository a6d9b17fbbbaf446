"""DnCNN (Zhang et al., TIP 2017, arXiv 1608.03981) and its light form by LIST layers (Lahiri et al., arXiv 2007.05835).

A chain of 3x3 convolutions predicts the noise, which is subtracted from the image; all but the first and the last are
followed by batch norm. Layers and counts are those of two codes: `avisekiit/TCSVT-LightWeight-CNNs` has no biases
beside LIST's own, `cszn/KAIR` has them everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from space.architecture import IOShape
from space.errors import UserError
from space.layers.batch_norm import Normed
from space.layers.lightweight import List
from space.layers.protocols import ResidualEnd


@dataclass(frozen=True, slots=True)
class DnCnnSettings:
    """``layers`` counts all convolutions. ``middle`` is what all but the first and last are: ``dense`` or ``list``.

    ``bias`` gives the 3x3 convolutions biases; LIST always has its own.
    """

    width: int
    layers: int
    middle: str
    bias: bool

    def __post_init__(self) -> None:
        if self.middle not in ("dense", "list"):
            raise UserError(f"middle layers of DnCNN must be dense or list, got {self.middle!r}")
        if self.layers < 3:
            raise UserError(f"DnCNN needs at least 3 layers, got {self.layers}")


class DnCnn(nn.Module, ResidualEnd):
    """`(N, in, H, W)` to the same shape: the noisy image minus the predicted noise, images in [0, 1]."""

    def __init__(self, shape: IOShape, settings: DnCnnSettings) -> None:
        super().__init__()
        width, bias = settings.width, settings.bias
        self.first = nn.Conv2d(shape.in_channels, width, 3, padding=1, bias=bias)
        self.middle = nn.ModuleList(
            Normed(
                List(width, width) if settings.middle == "list" else nn.Conv2d(width, width, 3, padding=1, bias=bias),
                width,
            )
            for _ in range(settings.layers - 2)
        )
        self.last = nn.Conv2d(width, shape.out_channels, 3, padding=1, bias=bias)

    @property
    def residual_end(self) -> nn.Conv2d:
        """The last convolution, which gives the change of the image."""
        return self.last

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.first(image))
        for layer in self.middle:
            x = F.relu(layer(x))
        return image - self.last(x)
