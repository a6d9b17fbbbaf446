"""Progressive residual network (JEIT210298, abstract): a shallow residual network called recursively with shared
weights, with a recalibration of the features of the input and of every stage.

The paper's form is not known. This template is ours: stage s runs conv3x3 and residual blocks on the input and the
previous estimate; the features of the input and of the stages up to s, each weighted by one shared attention, are
summed; a conv3x3 of the sum, added to the input, is the next estimate. All weights are shared, so their number does not
depend on the recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from space import knobs as k
from space.architecture import BlockSpec, IOShape, MalleSpec, UpsamplerSpec
from space.blocks.attention import ChannelAttention, SpatialAttention
from space.blocks.image_ends import InputSkip
from space.blocks.malle import placed_malle
from space.blocks.residual import block
from space.blocks.upsamplers import upsampler
from space.trunk import malle_spec, trunk, upsampler_spec

BLOCKS = k.Knob("blocks", tuple(range(2, 9)), "residual blocks of one stage", "PRN (csdwren/PReNet): 5")
RECURSION = replace(k.RECURSION, values=tuple(range(1, 9)), meaning="stages, which share their weights")
ATTENTION = replace(k.ATTENTION, meaning="recalibration of the features of input and stages")
# Of a few blocks, finer shares and an even spread would be the same networks under other names.
SHALLOW_TRUNK_KNOBS = (
    replace(k.INVERTED_RATIO, values=(0.0, 0.5, 1.0)),
    k.EXPANSION,
    replace(k.INVERTED_AT, values=("first", "last")),
    replace(k.ACTIVATION_KEPT, values=("rare", "all"), when={"blocks": tuple(range(3, 9))}),
    k.BLOCK_FORM,
    k.CONV,
    k.GSAT,
)
KNOBS = (
    k.WIDTH,
    BLOCKS,
    RECURSION,
    *SHALLOW_TRUNK_KNOBS,
    k.RESIDUAL_SCALE,
    k.MALLE,
    k.MALLE_KERNEL,
    k.MALLE_POOL,
    ATTENTION,
    k.UPSAMPLER,
    k.INPUT_SKIP,
)


@dataclass(frozen=True, slots=True)
class ProgressiveSettings:
    """``recursion`` stages of ``blocks``; a MalleConv stands within each stage, with shared weights."""

    NESTED: ClassVar[dict[str, type]] = {"blocks": BlockSpec, "malle": MalleSpec, "upsampler": UpsamplerSpec}

    width: int
    blocks: tuple[BlockSpec, ...]
    recursion: int
    residual_scale: float
    malle: MalleSpec | None
    attention: str
    upsampler: UpsamplerSpec
    input_skip: str


def settings_from_knobs(knobs: Mapping[str, Any]) -> ProgressiveSettings:
    return ProgressiveSettings(
        width=knobs["width"],
        blocks=trunk(knobs["blocks"], knobs["width"], knobs),
        recursion=knobs["recursion"],
        residual_scale=knobs["residual_scale"],
        malle=malle_spec(knobs),
        attention=knobs["attention"],
        upsampler=upsampler_spec(knobs),
        input_skip=knobs["input_skip"],
    )


class ProgressiveNet(nn.Module):
    """`(N, in, H, W)` to `(N, out, scale*H, scale*W)`, float, images in [0, 1]; ``make`` as in ``PlainNet``.

    Estimates between stages have the input's size; the first one is the input image. Where the output has that size
    too, the convolution to the image is shared with the last stage.
    """

    def __init__(self, shape: IOShape, settings: ProgressiveSettings, make: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.settings = settings
        width, out = settings.width, shape.out_channels
        self.start = make(InputSkip, "identity", 1, out)
        self.read = make(nn.Conv2d, shape.in_channels, width, 3, padding=1)
        self.stem = make(nn.Conv2d, shape.in_channels + out, width, 3, padding=1)
        self.blocks = nn.ModuleList(make(block, spec, settings.residual_scale) for spec in settings.blocks)
        self.malle = placed_malle(settings.malle, lambda _: width, make)
        if settings.attention in ("channel", "both"):
            self.channel = make(ChannelAttention, width)
        if settings.attention in ("spatial", "both"):
            self.spatial = make(SpatialAttention)
        self.upsampler = make(upsampler, settings.upsampler, width, out, shape.scale)
        if shape.scale > 1 and settings.recursion > 1:
            self.between = make(nn.Conv2d, width, out, 3, padding=1)
        if settings.input_skip != "none":
            self.skip = make(InputSkip, settings.input_skip, shape.scale, out)
        self.enlarges = shape.scale > 1

    @property
    def residual_end(self) -> nn.Module | None:
        """The last convolution, where what it gives is added to the input."""
        return self.upsampler.last if self.settings.input_skip != "none" else None

    def forward(self, image: Tensor) -> Tensor:
        start = estimate = self.start(image)
        total = self._weighted(self.read(image))
        for stage in range(self.settings.recursion):
            total = total + self._weighted(self._stage(torch.cat((image, estimate), 1)))
            chosen = self.spatial(total) if self.settings.attention in ("spatial", "both") else total
            if stage == self.settings.recursion - 1:
                break
            estimate = (self.between if self.enlarges else self.upsampler)(chosen)
            if self.settings.input_skip != "none":
                estimate = estimate + start
        output = self.upsampler(chosen)
        return output + self.skip(image) if self.settings.input_skip != "none" else output

    def _stage(self, x: Tensor) -> Tensor:
        """The shallow residual network: `(N, in + out, H, W)` to `(N, width, H, W)`."""
        x = self.malle.at("head", self.stem(x))
        for index, residual_block in enumerate(self.blocks):
            if index == len(self.blocks) // 2:
                x = self.malle.at("middle", x)
            x = residual_block(x)
        return self.malle.at("tail", x)

    def _weighted(self, feature: Tensor) -> Tensor:
        return self.channel(feature) if self.settings.attention in ("channel", "both") else feature
