"""ESPCN (Shi et al., CVPR 2016, arXiv 1609.05158): three convolutions at the input's size and one pixel shuffle.

Layers are those of its common PyTorch form (`yjn870/ESPCN-pytorch`, `models.py`): 64 and 32 channels with tanh, no
activation after the last convolution; 21,284, 22,729 and 24,752 parameters at x2, x3 and x4. It sees luma only.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from space.architecture import IOShape


@dataclass(frozen=True, slots=True)
class EspcnSettings:
    """Channels after the first and after the second convolution."""

    width: int = 64
    narrow: int = 32


class Espcn(nn.Module):
    """`(N, in, H, W)` in [0, 1] to `(N, out, scale*H, scale*W)`; ``shape`` is of luma images, 1 to 1 channel."""

    def __init__(self, shape: IOShape, settings: EspcnSettings) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(shape.in_channels, settings.width, 5, padding=2),
            nn.Tanh(),
            nn.Conv2d(settings.width, settings.narrow, 3, padding=1),
            nn.Tanh(),
        )
        self.upsampler = nn.Sequential(
            nn.Conv2d(settings.narrow, shape.out_channels * shape.scale**2, 3, padding=1), nn.PixelShuffle(shape.scale)
        )

    def forward(self, image: Tensor) -> Tensor:
        return self.upsampler(self.features(image))
