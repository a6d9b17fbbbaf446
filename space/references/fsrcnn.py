"""FSRCNN (Dong et al., ECCV 2016, arXiv 1608.00367): a narrow body at the input's size, then one large deconvolution.

Layers are those of its common PyTorch form (`yjn870/FSRCNN-pytorch`, `models.py`): 12,809 parameters at (56, 12, 4),
parametric ReLUs and biases included, whatever the scale. It sees luma only.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from space.architecture import IOShape


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
