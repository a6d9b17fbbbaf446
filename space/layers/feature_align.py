"""The Feature-Align layer (Young et al., arXiv 2103.01524).

The paper gives the idea: activations modulated with the noisy input. The layer is that of a re-implementation for
another task (`yifanlu0227/HEAL`, `feature_alignnet_modules.py`); how far it is the paper's is not known.
"""

from __future__ import annotations

from torch import Tensor, nn

from space.parts import Make, construct


class FeatureAlign(nn.Module):
    """block(feature) * gamma + beta, with gamma and beta from the noisy input by 1x1 convolutions.

    `(N, C, H, W)` features and the `(N, image, H, W)` input at their size, to `(N, out, H, W)`: spatially adaptive
    modulation (SPADE, Park et al. 2019) without its norm.

    Args:
        block: `(N, C, H, W)` to `(N, out, H, W)`.
    """

    def __init__(self, block: nn.Module, out_channels: int, image_channels: int, make: Make = construct) -> None:
        super().__init__()
        self.block = block
        self.read = make(_reader, image_channels)
        self.gamma = make(nn.Conv2d, image_channels, out_channels, 1)
        self.beta = make(nn.Conv2d, image_channels, out_channels, 1)

    def forward(self, feature: Tensor, image: Tensor) -> Tensor:
        read = self.read(image)
        return self.block(feature) * self.gamma(read) + self.beta(read)


def _reader(image_channels: int) -> nn.Module:
    """What both modulations look at."""
    return nn.Sequential(nn.Conv2d(image_channels, image_channels, 1), nn.ReLU())
