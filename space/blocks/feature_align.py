"""Feature-Align layer and AR block (Young et al., arXiv 2103.01524).

The paper gives the idea: activations modulated with the noisy input. Layer and block are those of a re-implementation
for another task (`yifanlu0227/HEAL`, `feature_alignnet_modules.py`); how far they are the paper's is not known.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from space.blocks.lightweight import Gsat, List

AR_GROUPS = 8


def spatial(conv: str, channels: int, groups: int, dilation: int) -> nn.Sequential:
    """The 3x3 convolution of an AR block and its ReLU; ``conv`` is ``grouped``, ``list`` or ``gsat`` (with its ReLU).

    Only ``grouped`` has ``groups``, only ``gsat`` a ``dilation``.
    """
    if conv == "gsat":
        return nn.Sequential(Gsat(channels, dilation, norm=False, bias=True))
    if conv == "list":
        return nn.Sequential(List(channels, channels), nn.ReLU())
    return nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, groups=groups or channels), nn.ReLU())


class ArBlock(nn.Sequential):
    """1x1, ReLU, 3x3 in groups, ReLU, 1x1: `(N, in, H, W)` to `(N, out, H, W)`; biases, no norm, no skip.

    Args:
        groups: of the 3x3 convolution; 0 means one per channel (depthwise). Otherwise it divides ``in_channels``.
        conv: what stands for that convolution (``spatial``).
        dilation: of a GSAT there.
    """

    def __init__(
        self, in_channels: int, out_channels: int, groups: int = AR_GROUPS, conv: str = "grouped", dilation: int = 1
    ) -> None:
        super().__init__(
            nn.Conv2d(in_channels, in_channels, 1),
            nn.ReLU(),
            *spatial(conv, in_channels, groups, dilation),
            nn.Conv2d(in_channels, out_channels, 1),
        )

    @torch.no_grad()
    def keep_spread(self) -> None:
        """Widen weights drawn within 1/sqrt(fan in), so that values keep their spread from block to block.

        Within sqrt(6/fan in) before a ReLU, sqrt(3/fan in) at the end, biases at zero (He et al. 2015, section 2.2);
        LIST and GSAT stay. Otherwise each convolution leaves 0.4 to 0.6 of the spread, and nothing of the image
        reaches the end: inpainting with 16 channels at 4 levels gained 0.18, 0.27 and 1.03 dB after 100, 200 and 400
        steps (8 patches of 32x32), and with this 1.43, 2.64 and 3.83.
        """
        *inner, last = (each for each in self if isinstance(each, nn.Conv2d))
        for conv, gain in (*((each, 6) for each in inner), (last, 3)):
            conv.weight.mul_(math.sqrt(gain))
            conv.bias.zero_()


class FeatureAlign(nn.Module):
    """AR(feature) * gamma + beta, with gamma and beta from the noisy input by 1x1 convolutions.

    `(N, in, H, W)` features and the `(N, image, H, W)` input at their size, to `(N, out, H, W)`: spatially adaptive
    modulation (SPADE, Park et al. 2019) without its norm.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        image_channels: int,
        groups: int = AR_GROUPS,
        conv: str = "grouped",
        dilation: int = 1,
    ) -> None:
        super().__init__()
        self.block = ArBlock(in_channels, out_channels, groups, conv, dilation)
        self.read = nn.Sequential(nn.Conv2d(image_channels, image_channels, 1), nn.ReLU())
        self.gamma = nn.Conv2d(image_channels, out_channels, 1)
        self.beta = nn.Conv2d(image_channels, out_channels, 1)

    def forward(self, feature: Tensor, image: Tensor) -> Tensor:
        read = self.read(image)
        return self.block(feature) * self.gamma(read) + self.beta(read)
