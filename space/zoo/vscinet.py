"""VSCINet (NTIRE 2026 efficient super-resolution, team 11): depthwise kernels of several shapes, spatial and channel
attention.

Layers are those of `Amazingren/NTIRE2026_ESR` (`models/team11_VSCINet.py`, MIT), whose released weights work on RGB in
[0, 1] minus the mean of DIV2K: 51,465 parameters at x4. The attentions are those of ZenoSR. At inference, attention
among channels runs in windows of 72 pixels that overlap; the variance in the coarse map is of the whole image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.errors import UserError
from space.layers.channel_transformer import ChannelTransformer
from space.layers.coarse_attention import CoarseAttention
from space.layers.image_ends import DIV2K_MEAN
from space.layers.multi_scale_conv import MultiScaleConv, MultiScaleResidual
from space.zoo.measured_result import measured
from space.zoo.published_network import PublishedNetwork
from space.zoo.released_layout import ReleasedLayout, scale_by_shuffle
from space.zoo.sources import NTIRE_2026
from space.zoo.zenosr import attention_names


@dataclass(frozen=True, slots=True)
class VscinetSettings:
    """``width`` is a multiple of 4."""

    width: int = 20
    blocks: int = 5


class _SpatialChannelBlock(nn.Module):
    """SCAB: two multi-scale residuals, distilled and fused, one more, coarse attention and channel transformer; added
    to the input. Width to width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.residuals = nn.ModuleList((MultiScaleResidual(width), MultiScaleResidual(width)))
        self.distill = nn.ModuleList(
            (nn.Conv2d(width, half, 1), nn.Conv2d(width, half, 1), nn.Conv2d(width, half, 3, padding=1, groups=half))
        )
        self.fuse = nn.Conv2d(3 * half, width, 1)
        self.local = MultiScaleResidual(width)
        self.spatial = CoarseAttention(width)
        self.channel = ChannelTransformer(width)

    def forward(self, x: Tensor) -> Tensor:
        found = [x]
        for residual in self.residuals:
            found.append(residual(found[-1]))
        distilled = [F.gelu(conv(each)) for conv, each in zip(self.distill, found, strict=True)]
        return self.channel(self.spatial(self.local(self.fuse(torch.cat(distilled, 1))))) + x


class Vscinet(nn.Module):
    """`(N, 3, H, W)` in [0, 1] to `(N, 3, scale*H, scale*W)`.

    Raises:
        UserError: the images are not RGB, or the width is no multiple of 4.
    """

    mean: Tensor

    def __init__(self, shape: IOShape, settings: VscinetSettings) -> None:
        super().__init__()
        if (shape.in_channels, shape.out_channels) != (3, 3):
            raise UserError(
                f"VSCINet works on RGB: channels must be 3 to 3, got {shape.in_channels} to {shape.out_channels}"
            )
        width, blocks = settings.width, settings.blocks
        self.register_buffer("mean", torch.tensor(DIV2K_MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.blocks = nn.ModuleList(_SpatialChannelBlock(width) for _ in range(blocks))
        self.fuse = nn.Sequential(nn.Conv2d(blocks * width, width, 1, bias=False), nn.GELU(), MultiScaleConv(width))
        self.upsampler = nn.Sequential(
            nn.Conv2d(width, 3 * shape.scale**2, 1, bias=False), nn.PixelShuffle(shape.scale)
        )

    def forward(self, image: Tensor) -> Tensor:
        image = image - self.mean
        features = x = self.stem(image)
        results = []
        for block in self.blocks:
            x = block(x)
            results.append(x)
        return self.upsampler(self.fuse(torch.cat(results, 1)) + features) + self.mean


def _multi_scale_names(ours: str, theirs: str) -> dict[str, str]:
    branches = {f"{ours}.branches.{index}": f"{theirs}.dwc.conv2_{index + 1}" for index in range(4)}
    return branches | {f"{ours}.pointwise": f"{theirs}.conv1"}


def _vscinet_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """Block i is `B{i + 1}`, in which `c1_r` and `c2_r` are the residuals, `c1_d`, `c2_d` and `c3` distil them."""
    names = {"stem": "to_feat", "upsampler": "to_img"} | _multi_scale_names("fuse.2", "fuse.2")
    for index in range(entry.architecture.settings.blocks):
        ours, theirs = f"blocks.{index}", f"B{index + 1}"
        for position, name in enumerate(("c1_d", "c2_d", "c3")):
            names[f"{ours}.distill.{position}"] = f"{theirs}.{name}"
        for path, name in {"residuals.0": "c1_r", "residuals.1": "c2_r", "local": "local_handle"}.items():
            names |= _multi_scale_names(f"{ours}.{path}", f"{theirs}.{name}")
        names[f"{ours}.fuse"] = f"{theirs}.c4"
        names |= attention_names(ours, theirs)
    return names


NETWORKS = (
    PublishedNetwork(
        "vscinet",
        "VSCINet",
        "sr",
        Architecture(IOShape(3, 3, 4), "vscinet", VscinetSettings()),
        "NTIRE 2026 efficient super-resolution, team 11",
        module=Vscinet,
        layouts=(
            ReleasedLayout(
                _vscinet_names,
                "Amazingren/NTIRE2026_ESR, models/team11_VSCINet.py",
                scale_by_shuffle("to_img.0.weight", 3),
            ),
        ),
        measured=measured("VSCINet", "vscinet-x4.pth", NTIRE_2026, {"Set5": 31.98, "Set14": 28.54}, params=51_465),
        note="attention among channels runs in overlapping windows of 72 pixels at inference",
    ),
)
