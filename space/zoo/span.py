"""SPAN (Wan et al., CVPR workshops 2024, arXiv 2311.12770): attention without parameters, won NTIRE 2024 Efficient SR.

Layers are those of `hongyuanyu/SPAN` (`basicsr/archs/span_arch.py`, Apache-2.0), 48 channels wide by default, and of
`Amazingren/NTIRE2024_ESR` (`models/team38_SPAN.py`, MIT) in deploy form, 28 channels wide: 150,688 parameters at x4.
The body works on 0..255 around the mean of DIV2K and gives the image in [0, 1]. The authors' SiLU is in place, so that
the tail reads the first convolution of the last block after its activation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.errors import UserError
from space.layers.conv3xc import Conv3XC
from space.layers.image_ends import DIV2K_MEAN
from space.layers.spab import Spab
from space.layers.upsamplers import DenseOneStep
from space.zoo.measured_result import measured
from space.zoo.published_network import PublishedNetwork
from space.zoo.released_layout import ReleasedLayout, scale_by_shuffle
from space.zoo.sources import NTIRE_2026

BLOCKS = 6
IMAGE_RANGE = 255


@dataclass(frozen=True, slots=True)
class SpanSettings:
    width: int = 48


class CentredImage(nn.Module):
    """`(N, 3, H, W)` RGB in [0, 1] to 255 times its difference from the mean of DIV2K."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(DIV2K_MEAN).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        return (image - self.mean) * IMAGE_RANGE


def require_rgb(title: str, shape: IOShape) -> None:
    """Refuse a ``shape`` of other images for the network called ``title``.

    Raises:
        UserError: the images are not RGB.
    """
    channels = (shape.in_channels, shape.out_channels)
    if channels != (3, 3):
        raise UserError(f"{title} works on RGB: channels must be 3 to 3, got {channels[0]} to {channels[1]}")


class Span(nn.Module):
    """`(N, 3, H, W)` RGB in [0, 1] to `(N, 3, scale*H, scale*W)`.

    Raises:
        UserError: the images are not RGB: the mean that is subtracted has three channels.
    """

    def __init__(self, shape: IOShape, settings: SpanSettings) -> None:
        super().__init__()
        require_rgb("SPAN", shape)
        width = settings.width
        self.centre = CentredImage()
        self.stem = Conv3XC(3, width)
        self.blocks = nn.ModuleList(Spab(width) for _ in range(BLOCKS))
        self.last = Conv3XC(width, width)
        self.join = nn.Conv2d(4 * width, width, 1)
        self.upsampler = DenseOneStep(width, width, 3, shape.scale)

    def forward(self, image: Tensor) -> Tensor:
        x = features = self.stem(self.centre(image))
        results = []
        for block in self.blocks:
            assert isinstance(block, Spab)
            activated = block.activated(x)
            x = block.attended(x, activated)
            results.append(x)
        return self.upsampler(self.join(torch.cat((features, self.last(x), results[0], activated), 1)))


def conv3xc_names(ours: str, theirs: str) -> dict[str, str]:
    """Of one Conv3XC, in both forms."""
    parts = {"plain": "eval_conv", "expand": "conv.0", "conv": "conv.1", "project": "conv.2", "skip": "sk"}
    return {f"{ours}.{part}": f"{theirs}.{name}" for part, name in parts.items()}


def spab_names(ours: str, theirs: str) -> dict[str, str]:
    """Of the three Conv3XC of one block."""
    names: dict[str, str] = {}
    for index, part in enumerate(("first", "second", "third"), start=1):
        names |= conv3xc_names(f"{ours}.{part}", f"{theirs}.c{index}_r")
    return names


def _span_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """Block i is `block_{i + 1}`; a Conv3XC holds its branches `conv` and `sk`, or `eval_conv`, or all of them."""
    names = {"join": "conv_cat", "upsampler.last": "upsampler.0"}
    names |= conv3xc_names("stem", "conv_1") | conv3xc_names("last", "conv_2")
    for index in range(BLOCKS):
        names |= spab_names(f"blocks.{index}", f"block_{index + 1}")
    return names


CONVOLUTIONS = (
    "conv_1",
    "conv_2",
    *(f"block_{block + 1}.c{index}_r" for block in range(BLOCKS) for index in (1, 2, 3)),
)
# In files of the training form too, for which the authors compute them anew before every use.
FOLDED_BESIDE = tuple(f"{conv}.eval_conv" for conv in CONVOLUTIONS)
DEPLOYED = ReleasedLayout(
    _span_names,
    "Amazingren/NTIRE2024_ESR, models/team38_SPAN.py",
    scale_by_shuffle("upsampler.0.bias", 3),
    folded=True,
    form="deploy form, plain 3x3 convolutions",
)
TRAINED = replace(
    DEPLOYED,
    source="hongyuanyu/SPAN, basicsr/archs/span_arch.py",
    unused=lambda scale: FOLDED_BESIDE,
    folded=False,
    form="training form, with the branches of Conv3XC",
)


MEASURED = measured("SPAN-28", "span-28-x4.pth", NTIRE_2026, {"Set5": 31.75, "Set14": 28.41}, params=150_688)


def _entry(width: int, note: str) -> PublishedNetwork:
    return PublishedNetwork(
        f"span-{width}",
        f"SPAN-{width}",
        "sr",
        Architecture(IOShape(3, 3, 4), "span", SpanSettings(width)),
        "Wan et al., arXiv 2311.12770",
        module=Span,
        layouts=(DEPLOYED, TRAINED),
        measured=tuple(result for result in MEASURED if result.network == f"SPAN-{width}"),
        note=f"{note}; deployed as plain 3x3 convolutions, trained as Conv3XC",
    )


NETWORKS = (
    _entry(28, "28 channels, as submitted to NTIRE 2024 Efficient SR"),
    _entry(48, "48 channels, as in the authors' repository"),
)
