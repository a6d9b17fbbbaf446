"""PMRID (Wang et al., ECCV 2020, arXiv 2010.06935): RAW denoising on phones, layers as in the authors' code.

That is `models/net_torch.py` of `MegEngine/PMRID` (Apache-2.0): four encoder stages of separable 5x5 convolutions,
four decoder stages that enlarge by transposed convolutions, no norm. The paper's k-sigma transform, which takes the
dependence on ISO out of the noise, is done to the frame before the network and is not part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.layers.padding import pad_to_multiple
from space.layers.protocols import DividesSides, ResidualEnd
from space.zoo.published_network import PublishedNetwork
from space.zoo.released_layout import ReleasedLayout

STEM = 16
ENCODER = ((64, 2), (128, 2), (256, 4), (512, 4))  # channels and blocks of each stage, each at half the sides
NARROWED = 64  # channels from encoder to decoder
DECODER = (64, 32, 32, 16)


@dataclass(frozen=True, slots=True)
class PmridSettings:
    """The published layout has nothing to choose."""


class _Separable(nn.Sequential):
    """Depthwise convolution without bias, then 1x1 with bias."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(in_channels, in_channels, kernel, stride, padding=kernel // 2, groups=in_channels, bias=False),
            nn.Conv2d(in_channels, out_channels, 1),
        )


class _EncoderBlock(nn.Module):
    """Two separable 5x5 convolutions over a quarter of the channels, plus the input, ReLU.

    The block that halves the sides brings its input to the new shape by a separable 3x3 convolution.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.narrow = _Separable(in_channels, out_channels // 4, 5, stride)
        self.widen = _Separable(out_channels // 4, out_channels, 5)
        same = stride == 1 and in_channels == out_channels
        self.project = nn.Identity() if same else _Separable(in_channels, out_channels, 3, stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.widen(F.relu(self.narrow(x))) + self.project(x))


class _DecoderBlock(nn.Module):
    """Two separable 3x3 convolutions with ReLU between them, plus input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _Separable(channels, channels, 3)
        self.last = _Separable(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(F.relu(self.first(x))) + x


class _DecoderStage(nn.Module):
    """A decoder block, a transposed convolution to twice the sides, plus the projected features of the encoder."""

    def __init__(self, in_channels: int, skip_channels: int, out_channels: int) -> None:
        super().__init__()
        self.block = _DecoderBlock(in_channels)
        self.enlarge = nn.ConvTranspose2d(in_channels, out_channels, 2, stride=2)
        self.project = _Separable(skip_channels, out_channels, 3)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.enlarge(self.block(x)) + F.relu(self.project(skip))


class Pmrid(nn.Module, ResidualEnd, DividesSides):
    """`(N, 4, H, W)` packed Bayer to the same shape. Sides that 16 does not divide are extended and cut again."""

    def __init__(self, shape: IOShape, settings: PmridSettings) -> None:
        super().__init__()
        widths = (STEM, *(width for width, _ in ENCODER))
        self.first = nn.Conv2d(shape.in_channels, STEM, 3, padding=1)
        self.encoder = nn.ModuleList(
            nn.Sequential(
                _EncoderBlock(widths[index], width, stride=2),
                *(_EncoderBlock(width, width, stride=1) for _ in range(blocks - 1)),
            )
            for index, (width, blocks) in enumerate(ENCODER)
        )
        self.narrow = _Separable(widths[-1], NARROWED, 3)
        inputs = (NARROWED, *DECODER[:-1])
        self.decoder = nn.ModuleList(
            _DecoderStage(channels, skip, width)
            for channels, skip, width in zip(inputs, widths[-2::-1], DECODER, strict=True)
        )
        self.refine = _DecoderBlock(DECODER[-1])
        self.last = nn.Conv2d(DECODER[-1], shape.out_channels, 3, padding=1)

    @property
    def residual_end(self) -> nn.Conv2d:
        """The last convolution, which gives the change of the image."""
        return self.last

    @property
    def multiple(self) -> int:
        return 2 ** len(ENCODER)

    def forward(self, frame: Tensor) -> Tensor:
        height, width = frame.shape[-2:]
        padded = pad_to_multiple(frame, self.multiple)
        features = [F.relu(self.first(padded))]
        for stage in self.encoder:
            features.append(stage(features[-1]))
        x = F.relu(self.narrow(features.pop()))
        for stage in self.decoder:
            x = stage(x, features.pop())
        return (padded + self.last(self.refine(x)))[..., :height, :width]


def _pmrid_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """`models/net_torch.py`: stages `enc1` to `enc4` and `dec1` to `dec4`; separable ones `depthwise`, `pointwise`."""

    def separable(ours: str, theirs: str) -> dict[str, str]:
        return {f"{ours}.0": f"{theirs}.depthwise", f"{ours}.1": f"{theirs}.pointwise"}

    def block(ours: str, theirs: str) -> dict[str, str]:
        return separable(f"{ours}.first", f"{theirs}.conv0") | separable(f"{ours}.last", f"{theirs}.conv1")

    names = {"first": "conv0.conv", "last": "out1.conv", **separable("narrow", "encdec"), **block("refine", "out0")}
    for stage, (_, blocks) in enumerate(ENCODER):
        for index in range(blocks):
            ours, theirs = f"encoder.{stage}.{index}", f"enc{stage + 1}.{index}"
            names |= separable(f"{ours}.narrow", f"{theirs}.conv1") | separable(f"{ours}.widen", f"{theirs}.conv2")
            names |= separable(f"{ours}.project", f"{theirs}.proj")
        ours, theirs = f"decoder.{stage}", f"dec{stage + 1}"
        names |= block(f"{ours}.block", f"{theirs}.decode_conv") | {f"{ours}.enlarge": f"{theirs}.upsample"}
        names |= separable(f"{ours}.project", f"{theirs}.proj_conv")
    return names


CODE = "MegEngine/PMRID, models/net_torch.py"
NETWORKS = (
    PublishedNetwork(
        "pmrid",
        "PMRID",
        "raw-denoise",
        Architecture(IOShape(4, 4), "pmrid", PmridSettings()),
        f"Wang et al., arXiv 2010.06935; {CODE}",
        module=Pmrid,
        layouts=(ReleasedLayout(_pmrid_names, CODE),),
        note="the paper's k-sigma transform is done before the network",
    ),
)
