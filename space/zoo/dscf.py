"""DSCF-Fused (NTIRE 2026 Efficient SR): DSCF (Chai et al., arXiv 2504.11271), which won NTIRE 2025, with fewer layers.

DSCF is SPAN with 26 channels, its weights updated by convolutional low-rank adaptation under distillation
(`Yaozzz666/DSCF-SR` and `Amazingren/NTIRE2025_ESR`, `models/team23_DSCF.py`, MIT). DSCF-Fused
(`Amazingren/NTIRE2026_ESR`, MIT) makes the first two convolutions one of 5x5, and moves the 1x1 convolution behind the
last one into it: 125,992 parameters at x4. A 5x5 convolution reads what the first one would give one pixel outside of
the image, where SPAN reads zero; the training form here does so too, and folds into the fused one exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.layers.conv3xc import Conv3XC
from space.layers.protocols import Foldable
from space.layers.spab import Spab
from space.layers.upsamplers import DenseOneStep
from space.layers.weight_and_bias import convolution_of, weight_and_bias
from space.zoo.measured_result import measured
from space.zoo.published_network import PublishedNetwork
from space.zoo.released_layout import ReleasedLayout, scale_by_shuffle
from space.zoo.sources import NTIRE_2026
from space.zoo.span import BLOCKS, CentredImage, conv3xc_names, require_rgb, spab_names


@dataclass(frozen=True, slots=True)
class DscfSettings:
    width: int = 26


class Dscf(nn.Module, Foldable):
    """`(N, 3, H, W)` RGB in [0, 1] to `(N, 3, scale*H, scale*W)`.

    In the training form, ``last`` and the 1x1 ``mix`` follow one another; in the deploy form, ``last`` is both, and
    ``joined`` is the first convolution of the first block on that of the stem.

    Raises:
        UserError: the images are not RGB: the mean that is subtracted has three channels.
    """

    last: nn.Module

    def __init__(self, shape: IOShape, settings: DscfSettings) -> None:
        super().__init__()
        require_rgb("DSCF", shape)
        width = settings.width
        self.centre = CentredImage()
        self.stem = Conv3XC(3, width)
        self.joined: nn.Conv2d | None = None
        self.first = Spab(width)
        self.blocks = nn.ModuleList(Spab(width) for _ in range(BLOCKS - 1))
        self.last = Conv3XC(width, width)
        self.mix: nn.Module = nn.Conv2d(width, width, 1, bias=False)
        self.join = nn.Conv2d(3 * width, width, 1)
        self.upsampler = DenseOneStep(width, width, 3, shape.scale)

    def forward(self, image: Tensor) -> Tensor:
        image = self.centre(image)
        if self.joined is not None:
            features, hidden = self.stem(image), self.joined(image)
        else:
            around = self.stem(F.pad(image, (1, 1, 1, 1)))  # with the pixels next to the image
            features, hidden = (x[..., 1:-1, 1:-1] for x in (around, self.first.first(around)))
        x = first = self.first.attended(features, F.silu(hidden))
        for block in self.blocks:
            assert isinstance(block, Spab)
            activated = block.activated(x)
            x = block.attended(x, activated)
        return self.upsampler(self.join(torch.cat((features, first, activated), 1)) + self.mix(self.last(x)))

    @torch.no_grad()
    def fold(self) -> None:
        """Make the first two convolutions one, and the last one and the 1x1 behind it."""
        if self.joined is not None:
            return
        stem, second, last = (_folded(layer) for layer in (self.stem, self.first.first, self.last))
        (inner, inner_bias), (outer, outer_bias) = weight_and_bias(stem), weight_and_bias(second)
        # The inner kernels of a colour are an image, which the outer convolution, turned around, makes into 5x5.
        spread = F.conv2d(inner.transpose(0, 1), outer.flip(2, 3), padding=2)  # (3, width, 5, 5)
        self.joined = convolution_of(spread.transpose(0, 1), outer_bias + outer.sum((2, 3)) @ inner_bias)
        self.first.first = nn.Identity()
        assert isinstance(self.mix, nn.Conv2d)
        mix, (weight, bias) = self.mix.weight[:, :, 0, 0], weight_and_bias(last)
        self.last = convolution_of(torch.einsum("om,mihw->oihw", mix, weight))
        weight_and_bias(self.join)[1].add_(mix @ bias)
        self.mix = nn.Identity()


def _folded(layer: nn.Module) -> nn.Conv2d:
    assert isinstance(layer, Conv3XC)
    layer.fold()
    assert layer.plain is not None
    return layer.plain


def _dscf_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """The 5x5 convolution is `conv_fused`, the last 3x3 `conv2_fused`, the 1x1 beside it `conv_cat_other`."""
    names = {"joined": "conv_fused", "last": "conv2_fused", "join": "conv_cat_other", "upsampler.last": "upsampler.0"}
    names |= conv3xc_names("stem", "conv_1") | spab_names("first", "block_1")
    for index in range(BLOCKS - 1):
        names |= spab_names(f"blocks.{index}", f"block_{index + 2}")
    return names


NETWORKS = (
    PublishedNetwork(
        "dscf",
        "DSCF-Fused",
        "sr",
        Architecture(IOShape(3, 3, 4), "dscf", DscfSettings()),
        "Chai et al., arXiv 2504.11271, and NTIRE 2026 Efficient SR",
        module=Dscf,
        layouts=(
            ReleasedLayout(
                _dscf_names,
                "Amazingren/NTIRE2026_ESR, DSCF_Fused",
                scale_by_shuffle("upsampler.0.bias", 3),
                folded=True,
            ),
        ),
        measured=measured(
            "DSCF-Fused", "dscf-fused-x4.pth", NTIRE_2026, {"Set5": 31.74, "Set14": 28.34}, params=125_992
        ),
        note="the deploy form of a SPAN of 26 channels; trained here as that, without the authors' low-rank adaptation",
    ),
)
