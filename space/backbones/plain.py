"""Plain residual trunk: a row of blocks, one convolution, a long skip (EDSR's outline)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from space import knobs as k
from space.architecture import IOShape, Nested
from space.backbones.ends import ENDS_KNOBS
from space.backbones.restoration_net import RestorationNet, Trunk
from space.backbones.row import GATED_KNOBS, ROW_KNOBS, own_blocks, row, row_values
from space.blocks import BLOCKS, block
from space.blocks.block import BlockSpec
from space.parts import Make

DEPTH = k.Knob("blocks", tuple(range(2, 25)), "residual blocks in the trunk", "EDSR-baseline: 16", elastic=True)
KNOBS = (k.WIDTH, DEPTH, k.RECURSION, *ROW_KNOBS, *GATED_KNOBS, k.RESIDUAL_SCALE, *ENDS_KNOBS)


@dataclass(frozen=True, slots=True)
class PlainSettings:
    """``blocks`` run in order, ``recursion`` times over."""

    NESTED: ClassVar[Nested] = {"blocks": BLOCKS}

    width: int
    blocks: tuple[BlockSpec, ...]
    recursion: int
    residual_scale: float


def settings_from_knobs(knobs: Mapping[str, Any]) -> PlainSettings:
    """The settings that ``knobs`` describe."""
    return PlainSettings(
        width=knobs["width"],
        blocks=row(knobs["blocks"], knobs["width"], knobs),
        recursion=knobs["recursion"],
        residual_scale=knobs["residual_scale"],
    )


def values_of(settings: PlainSettings) -> dict[str, k.Value]:
    """Knob values from which ``settings_from_knobs`` gives ``settings``, if any do."""
    return {
        "width": settings.width,
        "blocks": len(own_blocks(settings.blocks)),
        "recursion": settings.recursion,
        "residual_scale": settings.residual_scale,
        **row_values(settings.blocks, KNOBS),
    }


class PlainTrunk(Trunk):
    """Blocks in a row, run ``recursion`` times with shared weights, then a 3x3 convolution."""

    LONG_SKIP = "stem"

    def __init__(self, shape: IOShape, settings: PlainSettings, make: Make) -> None:
        super().__init__(settings.width)
        self.recursion = settings.recursion
        self.blocks = nn.ModuleList(make(block, spec, settings.residual_scale) for spec in settings.blocks)
        self.fuse = make(nn.Conv2d, settings.width, settings.width, 3, padding=1)

    def forward(self, x: Tensor, image: Tensor, ends: RestorationNet) -> Tensor:
        for _ in range(self.recursion):
            for index, residual_block in enumerate(self.blocks):
                if index == len(self.blocks) // 2:
                    x = ends.insert("middle", x)
                x = residual_block(x)
        return self.fuse(ends.insert("tail", x))
