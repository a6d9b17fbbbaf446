"""BSRN (Li et al., CVPRW 2022, arXiv 2205.05996): distillation blocks of blueprint separable convolutions.

Layers are those of `xiaom233/BSRN` (`basicsr/archs/BSRN_arch.py`, MIT), on RGB in [0, 1]; BSRN-S, which won the model
complexity track of the NTIRE 2022 challenge on efficient super-resolution, is `RFDNFINALB5` (`rfdnfinalB5_arch.py`)
there. Two things fold that the authors leave: the four copies of the image in front of the first convolution, and the
factor per channel in BSRN-S. Their counts are those of the form that is trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.layers.bsconv import BsConv
from space.layers.contrast_attention import ContrastAttention
from space.layers.esa import blueprint_esa
from space.layers.protocols import Foldable
from space.zoo.counting_rule import TRAINING_FORM
from space.zoo.published_network import PublishedNetwork
from space.zoo.released_layout import ReleasedLayout, scale_by_shuffle

COPIES = 4  # of the image, side by side before the first convolution
STEPS = 3  # that each keep half of their channels
ATTENTION_REDUCTION = 4  # channels per hidden channel of the spatial attention


@dataclass(frozen=True, slots=True)
class BsrnSettings:
    """``challenge`` is the form of BSRN-S, entered in NTIRE 2022.

    Its blueprint convolutions have a bias between their parts, the strided one of its spatial attention is dense, and a
    factor per channel with a 1x1 convolution stands in place of channel attention.
    """

    width: int
    blocks: int
    challenge: bool = False


class _CopiedStem(nn.Module, Foldable):
    """A blueprint convolution of copies of the image. `(N, in, H, W)` to `(N, width, H, W)`."""

    def __init__(self, in_channels: int, width: int, bias: bool) -> None:
        super().__init__()
        self.copies = COPIES
        self.conv = BsConv(COPIES * in_channels, width, pointwise_bias=bias)

    def forward(self, image: Tensor) -> Tensor:
        return self.conv(torch.cat([image] * self.copies, 1) if self.copies > 1 else image)

    @torch.no_grad()
    def fold(self) -> None:
        """Sum the weights of the copies."""
        pointwise = self.conv.pointwise
        pointwise.weight = nn.Parameter(pointwise.weight.unflatten(1, (self.copies, -1)).sum(1))
        pointwise.in_channels, self.copies = pointwise.weight.shape[1], 1


class _ScaledMix(nn.Module, Foldable):
    """Each channel times a learned factor, then a 1x1 convolution. `(N, width, H, W)` to the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.factor: nn.Parameter | None = nn.Parameter(torch.ones(1, width))
        self.mix = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.mix(x if self.factor is None else x * self.factor[:, :, None, None])

    @torch.no_grad()
    def fold(self) -> None:
        """Move the factor into the convolution."""
        if self.factor is not None:
            self.mix.weight *= self.factor[:, :, None, None]
            self.factor = None


class _DistillationBlock(nn.Module):
    """ESDB: three convolutions with skips, a 1x1 that keeps half of each one's input, attention over all that is kept.

    `(N, width, H, W)` to the same shape.
    """

    def __init__(self, width: int, challenge: bool) -> None:
        super().__init__()
        kept = width // 2
        self.keep = nn.ModuleList(nn.Conv2d(width, kept, 1) for _ in range(STEPS))
        self.refine = nn.ModuleList(BsConv(width, width, pointwise_bias=challenge) for _ in range(STEPS))
        self.last = BsConv(width, kept, pointwise_bias=challenge)
        self.fuse = nn.Conv2d((STEPS + 1) * kept, width, 1)
        self.spatial = blueprint_esa(width, width // ATTENTION_REDUCTION, dense_stride=challenge, bias=challenge)
        self.channel = _ScaledMix(width) if challenge else ContrastAttention(width)

    def forward(self, x: Tensor) -> Tensor:
        kept, refined = [], x
        for keep, refine in zip(self.keep, self.refine, strict=True):
            kept.append(F.gelu(keep(refined)))
            refined = F.gelu(refine(refined) + refined)
        kept.append(F.gelu(self.last(refined)))
        return self.channel(self.spatial(self.fuse(torch.cat(kept, 1)))) + x


class Bsrn(nn.Module):
    """`(N, in, H, W)` in [0, 1] to `(N, out, scale*H, scale*W)`."""

    def __init__(self, shape: IOShape, settings: BsrnSettings) -> None:
        super().__init__()
        width, bias = settings.width, settings.challenge
        self.stem = _CopiedStem(shape.in_channels, width, bias)
        self.blocks = nn.ModuleList(_DistillationBlock(width, settings.challenge) for _ in range(settings.blocks))
        self.fuse = nn.Sequential(nn.Conv2d(width * settings.blocks, width, 1), nn.GELU())
        self.smooth = BsConv(width, width, pointwise_bias=bias)
        self.upsampler = nn.Sequential(
            nn.Conv2d(width, shape.out_channels * shape.scale**2, 3, padding=1), nn.PixelShuffle(shape.scale)
        )

    def forward(self, image: Tensor) -> Tensor:
        features = self.stem(image)
        results, x = [], features
        for block in self.blocks:
            x = block(x)
            results.append(x)
        return self.upsampler(self.smooth(self.fuse(torch.cat(results, 1))) + features)


def _blueprint(ours: str, theirs: str) -> dict[str, str]:
    return {f"{ours}.pointwise": f"{theirs}.pw", f"{ours}.depthwise": f"{theirs}.dw"}


def _bsrn_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """Block i is `B{i}`: `c{j}_d` keeps, `c{j}_r` refines, `c4`, `c5`, `esa`, and `cca.conv_du`."""
    names = {"fuse.0": "c1", "upsampler": "upsampler.upsampleOneStep"}
    names |= _blueprint("stem.conv", "fea_conv") | _blueprint("smooth", "c2")
    attention = {"squeeze": "conv1", "local": "conv_f", "expand": "conv4"}
    for index in range(entry.architecture.settings.blocks):
        ours, theirs = f"blocks.{index}", f"B{index + 1}"
        for step in range(STEPS):
            names[f"{ours}.keep.{step}"] = f"{theirs}.c{step + 1}_d"
            names |= _blueprint(f"{ours}.refine.{step}", f"{theirs}.c{step + 1}_r")
        names |= _blueprint(f"{ours}.last", f"{theirs}.c4")
        names |= {f"{ours}.fuse": f"{theirs}.c5", f"{ours}.channel.weights": f"{theirs}.cca.conv_du"}
        names |= {f"{ours}.spatial.{part}": f"{theirs}.esa.{name}" for part, name in attention.items()}
        names |= _blueprint(f"{ours}.spatial.strided", f"{theirs}.esa.conv2")
        for position, name in ((0, "conv_max"), (2, "conv3"), (4, "conv3_")):
            names |= _blueprint(f"{ours}.spatial.coarse.{position}", f"{theirs}.esa.{name}")
    return names


BSRN = ReleasedLayout(
    _bsrn_names, "xiaom233/BSRN, basicsr/archs/BSRN_arch.py", scale_by_shuffle("upsampler.upsampleOneStep.0.bias", 3)
)


def _entry(
    name: str, title: str, settings: BsrnSettings, layouts: tuple[ReleasedLayout, ...], note: str = ""
) -> PublishedNetwork:
    return PublishedNetwork(
        name,
        title,
        "sr",
        Architecture(IOShape(3, 3, 4), "bsrn", settings),
        "Li et al., arXiv 2205.05996",
        module=Bsrn,
        counting_rule=TRAINING_FORM,
        layouts=layouts,
        note=note,
    )


NETWORKS = (
    _entry(
        "bsrn-s",
        "BSRN-S",
        BsrnSettings(48, 5, challenge=True),
        (),
        "its released files store 1x1 convolutions as matrices and are not read here",
    ),
    _entry("bsrn", "BSRN", BsrnSettings(64, 8), (BSRN,)),
)
