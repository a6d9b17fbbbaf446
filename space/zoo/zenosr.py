"""ZenoSR (NTIRE 2026 efficient super-resolution, team 4): fewest parameters and multiply-adds of that challenge.

Layers are those of `Amazingren/NTIRE2026_ESR` (`models/team04_ZenoSR.py`, MIT), whose released weights work on RGB in
[0, 1] minus the mean of DIV2K: 37,786 parameters at x4. A block distils local features, then attends to a coarse map of
the image and among channels. At inference, attention among channels runs in windows of 72 pixels that overlap; the
variance in the coarse map is of the whole image. Four depthwise convolutions refine the enlarged image.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.errors import UserError
from space.layers.channel_transformer import ChannelTransformer
from space.layers.coarse_attention import CoarseAttention
from space.layers.image_ends import DIV2K_MEAN
from space.layers.local_distillation import LocalDistillation
from space.zoo.measured_result import measured
from space.zoo.published_network import PublishedNetwork
from space.zoo.released_layout import ReleasedLayout, scale_by_shuffle
from space.zoo.sources import NTIRE_2026

REFINEMENTS = 4  # depthwise convolutions of the enlarged image


@dataclass(frozen=True, slots=True)
class ZenosrSettings:
    width: int = 18
    blocks: int = 4


class _SpatialChannelBlock(nn.Module):
    """SCAB: local distillation, coarse attention and channel transformer in a row, added to the input."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.local = LocalDistillation(width)
        self.spatial = CoarseAttention(width, weighted=False)
        self.channel = ChannelTransformer(width)

    def forward(self, x: Tensor) -> Tensor:
        return self.channel(self.spatial(self.local(x))) + x


class Zenosr(nn.Module):
    """`(N, 3, H, W)` in [0, 1] to `(N, 3, scale*H, scale*W)`.

    Raises:
        UserError: the images are not RGB, or the width is odd.
    """

    mean: Tensor

    def __init__(self, shape: IOShape, settings: ZenosrSettings) -> None:
        super().__init__()
        if (shape.in_channels, shape.out_channels) != (3, 3):
            raise UserError(
                f"ZenoSR works on RGB: channels must be 3 to 3, got {shape.in_channels} to {shape.out_channels}"
            )
        width, blocks = settings.width, settings.blocks
        self.register_buffer("mean", torch.tensor(DIV2K_MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.blocks = nn.ModuleList(_SpatialChannelBlock(width) for _ in range(blocks))
        self.block_weights = nn.ParameterList(torch.ones(1, width, 1, 1) for _ in range(blocks))
        self.fuse = nn.Sequential(nn.Conv2d(blocks * width, width, 1, bias=False), nn.GELU(), LocalDistillation(width))
        self.upsampler = nn.Sequential(
            nn.Conv2d(width, 3 * shape.scale**2, 1, bias=False), nn.PixelShuffle(shape.scale)
        )
        self.refine = nn.Sequential(
            *(
                layer
                for _ in range(REFINEMENTS)
                for layer in (nn.GELU(), nn.Conv2d(3, 3, 3, padding=1, groups=3, bias=False))
            )
        )

    def forward(self, image: Tensor) -> Tensor:
        image = image - self.mean
        features = x = self.stem(image)
        results = []
        for block, weight in zip(self.blocks, self.block_weights, strict=True):
            x = block(x)
            results.append(weight * x)
        fused = self.fuse(torch.cat(results, 1)) + features
        return self.refine(self.upsampler(fused)) + self.mean


def attention_names(block: str, theirs: str) -> dict[str, str]:
    """Both attentions of our ``block``, `spatial` and `channel`, in the authors' block ``theirs``."""
    spatial, channel = f"{theirs}.spatial_attn", f"{theirs}.channel_attn"
    return {
        f"{block}.spatial.squeeze": f"{spatial}.conv1",
        f"{block}.spatial.depthwise": f"{spatial}.dwconv",
        f"{block}.spatial.coarse": f"{spatial}.conv2",
        f"{block}.spatial.expand": f"{spatial}.conv3",
        f"{block}.spatial.pooled_weight": f"{spatial}.alpha",
        f"{block}.spatial.variance_weight": f"{spatial}.belt",
        f"{block}.channel.attention_norm": f"{channel}.norm1.body",
        f"{block}.channel.attention": f"{channel}.global_channel",
        f"{block}.channel.attention.expand": f"{channel}.global_channel.project_in",
        f"{block}.channel.attention.depthwise": f"{channel}.global_channel.dwconv",
        f"{block}.channel.attention.project": f"{channel}.global_channel.project_out",
        f"{block}.channel.feed_forward_norm": f"{channel}.norm2.body",
        f"{block}.channel.feed_forward.up": f"{channel}.ffn.project_in",
        f"{block}.channel.feed_forward.depthwise": f"{channel}.ffn.dwconv",
        f"{block}.channel.feed_forward.down": f"{channel}.ffn.project_out",
    }


def _local_names(ours: str, theirs: str) -> dict[str, str]:
    """A local distillation, whose convolutions the authors count from 1."""
    names = {f"{ours}.fuse": f"{theirs}.conv5"}
    for index in range(4):
        names[f"{ours}.distill.{index}"] = f"{theirs}.conv{index + 1}"
    for index in range(3):
        names[f"{ours}.steps.{index}.pointwise"] = f"{theirs}.dwconv{index + 1}.0"
        names[f"{ours}.steps.{index}.depthwise"] = f"{theirs}.dwconv{index + 1}.1"
    return names


def _zenosr_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """Block i is `B{i + 1}`, and the weight of its result `alpha_{i + 5}`."""
    names = {"stem": "to_feat", "fuse.0": "fuse.0", "upsampler": "to_img"} | _local_names("fuse.2", "fuse.2")
    for index in range(entry.architecture.settings.blocks):
        ours, theirs = f"blocks.{index}", f"B{index + 1}"
        names |= _local_names(f"{ours}.local", f"{theirs}.local_handle") | attention_names(ours, theirs)
        names[f"block_weights.{index}"] = f"alpha_{index + 5}"
    return names


NETWORKS = (
    PublishedNetwork(
        "zenosr",
        "ZenoSR",
        "sr",
        Architecture(IOShape(3, 3, 4), "zenosr", ZenosrSettings()),
        "NTIRE 2026 efficient super-resolution, team 4",
        module=Zenosr,
        layouts=(
            ReleasedLayout(
                _zenosr_names,
                "Amazingren/NTIRE2026_ESR, models/team04_ZenoSR.py",
                scale_by_shuffle("to_img.0.weight", 3),
            ),
        ),
        measured=measured("ZenoSR", "zenosr-x4.pth", NTIRE_2026, {"Set5": 31.99, "Set14": 28.52}, params=37_786),
        note="attention among channels runs in overlapping windows of 72 pixels at inference",
    ),
)
