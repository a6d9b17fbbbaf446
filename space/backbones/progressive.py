"""Progressive residual network (JEIT210298, abstract): a shallow residual network called recursively with shared
weights, with a recalibration of the features of the input and of every stage.

The paper's form is not known. This template is ours: stage s runs conv3x3 and residual blocks on the input and the
previous estimate; the features of the input and of the stages up to s, each weighted by one shared attention, are
summed; a conv3x3 of the sum, added to the input, is the next estimate. All weights are shared, so their number does not
depend on the recursion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from space import knobs as k
from space.architecture import IOShape, Nested
from space.backbones.ends import ATTENTION, ENDS_KNOBS
from space.backbones.restoration_net import RestorationNet, Trunk
from space.backbones.row import (
    ACTIVATION_KEPT,
    GATED_KNOBS,
    GATED_RATIO,
    INVERTED_AT,
    INVERTED_RATIO,
    ROW_KNOBS,
    own_blocks,
    row,
    row_values,
)
from space.blocks import BLOCKS, block
from space.blocks.block import BlockSpec
from space.layers.attention import KINDS
from space.layers.image_ends import InputSkip
from space.parts import Make

DEPTH = k.Knob("blocks", tuple(range(2, 9)), "residual blocks of one stage", "PRN (csdwren/PReNet): 5", elastic=True)
# Of a few blocks, finer shares and an even spread would be the same networks under other names.
OWN = {
    "recursion": replace(k.RECURSION, values=tuple(range(1, 9)), meaning="stages, which share their weights"),
    "inverted_ratio": replace(INVERTED_RATIO, values=(0.0, 0.5)),
    "inverted_at": replace(INVERTED_AT, values=("first", "last")),
    "activation_kept": replace(ACTIVATION_KEPT, values=("rare", "all"), when={"blocks": tuple(range(3, 9))}),
    "gated_ratio": replace(GATED_RATIO, values=(0.0, 0.5)),
    "attention": replace(ATTENTION, meaning="recalibration of the features of input and stages"),
}
ALL = (k.WIDTH, DEPTH, k.RECURSION, *ROW_KNOBS, *GATED_KNOBS, k.RESIDUAL_SCALE, *ENDS_KNOBS)
KNOBS = tuple(OWN.get(knob.name, knob) for knob in ALL)


@dataclass(frozen=True, slots=True)
class ProgressiveSettings:
    """``recursion`` stages of ``blocks``; a MalleConv stands within each stage, with shared weights."""

    NESTED: ClassVar[Nested] = {"blocks": BLOCKS}

    width: int
    blocks: tuple[BlockSpec, ...]
    recursion: int
    residual_scale: float


def settings_from_knobs(knobs: Mapping[str, Any]) -> ProgressiveSettings:
    """The settings that ``knobs`` describe."""
    return ProgressiveSettings(
        width=knobs["width"],
        blocks=row(knobs["blocks"], knobs["width"], knobs),
        recursion=knobs["recursion"],
        residual_scale=knobs["residual_scale"],
    )


def values_of(settings: ProgressiveSettings) -> dict[str, k.Value]:
    """Knob values from which ``settings_from_knobs`` gives ``settings``, if any do."""
    return {
        "width": settings.width,
        "blocks": len(own_blocks(settings.blocks)),
        "recursion": settings.recursion,
        "residual_scale": settings.residual_scale,
        **row_values(settings.blocks, KNOBS),
    }


class ProgressiveTrunk(Trunk):
    """Estimates between stages have the input's size; the first one is the input image. Where the output has that size
    too, the convolution to the image is shared with the last stage."""

    # A MalleConv stands within each stage, with shared weights.
    MALLE_PLACES: ClassVar[Mapping[str, str]] = {"head": "start", "middle": "middle", "tail": "end"}
    ATTENTION_PLACES: ClassVar[Mapping[str, str]] = dict.fromkeys(KINDS, "total") | {"channel": "feature"}

    def __init__(self, shape: IOShape, settings: ProgressiveSettings, make: Make) -> None:
        super().__init__(settings.width)
        width, out = settings.width, shape.out_channels
        self.recursion = settings.recursion
        self.start = make(InputSkip, "identity", 1, out)
        self.stem = make(nn.Conv2d, shape.in_channels + out, width, 3, padding=1)
        self.blocks = nn.ModuleList(make(block, spec, settings.residual_scale) for spec in settings.blocks)
        if shape.scale > 1 and settings.recursion > 1:
            self.between = make(nn.Conv2d, width, out, 3, padding=1)
        self.enlarges = shape.scale > 1

    def forward(self, x: Tensor, image: Tensor, ends: RestorationNet) -> Tensor:
        start = estimate = self.start(image)
        total = ends.insert("feature", x)
        for stage in range(self.recursion):
            total = total + ends.insert("feature", self._stage(torch.cat((image, estimate), 1), ends))
            chosen = ends.insert("total", total)
            if stage == self.recursion - 1:
                break
            estimate = (self.between if self.enlarges else ends.upsampler)(chosen)
            if ends.adds_input:
                estimate = estimate + start
        return chosen

    def _stage(self, x: Tensor, ends: RestorationNet) -> Tensor:
        """The shallow residual network: `(N, in + out, H, W)` to `(N, width, H, W)`."""
        x = ends.insert("start", self.stem(x))
        for index, residual_block in enumerate(self.blocks):
            if index == len(self.blocks) // 2:
                x = ends.insert("middle", x)
            x = residual_block(x)
        return ends.insert("end", x)
