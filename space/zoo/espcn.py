"""ESPCN (Shi et al., CVPR 2016, arXiv 1609.05158): three convolutions at the input's size and one pixel shuffle.

Layers are those of its common PyTorch form (`yjn870/ESPCN-pytorch`, `models.py`): 64 and 32 channels with tanh, no
activation after the last convolution; 21,284, 22,729 and 24,752 parameters at x2, x3 and x4. It sees luma only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.zoo.published_network import PublishedNetwork
from space.zoo.published_result import Size, reported
from space.zoo.released_layout import ReleasedLayout, scale_by_shuffle
from space.zoo.sources import YJN_NOTE


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


def _espcn_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    return {"features": "first_part", "upsampler": "last_part"}


README = "yjn870/ESPCN-pytorch, README"
RESULTS = reported("ESPCN", "sr", README, {"Set5": 32.55}, Size(22_729), scale=3, is_own=False, note=YJN_NOTE)
NETWORKS = (
    PublishedNetwork(
        "espcn",
        "ESPCN",
        "sr",
        Architecture(IOShape(1, 1, 4), "espcn", EspcnSettings()),
        "Shi et al., arXiv 1609.05158",
        module=Espcn,
        layouts=(
            ReleasedLayout(_espcn_names, "yjn870/ESPCN-pytorch, models.py", scale_by_shuffle("last_part.0.bias", 1)),
        ),
        results=RESULTS,
        note="on luma",
    ),
)
