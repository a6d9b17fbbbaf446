"""GSAT (Lahiri et al., IEEE TCSVT 2021, arXiv 2007.05835) as a block, without batch norm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from torch import nn

from space.blocks.block import BlockSpec
from space.errors import UserError
from space.knobs import LAHIRI, Knob, Value
from space.layers.lightweight import SHUFFLE_GROUPS, Gsat, groups_at

DILATIONS = (1, 2, 4)
DILATION = Knob("dilation", DILATIONS, "dilation of a GSAT's 3x3 convolution", f"{LAHIRI}: GSAT")


@dataclass(frozen=True, slots=True, kw_only=True)
class GsatSpec(BlockSpec):
    """``dilation`` of the 3x3 convolution; ``groups`` of both convolutions."""

    kind: ClassVar[str] = "gsat"
    meaning: ClassVar[str] = "dilated grouped 3x3, channel shuffle and grouped 1x1"
    source: ClassVar[str] = f"{LAHIRI}: GSAT, in 8 groups"
    KNOBS: ClassVar[tuple[Knob, ...]] = (DILATION,)

    dilation: int
    groups: int = SHUFFLE_GROUPS

    def __post_init__(self) -> None:
        BlockSpec.__post_init__(self)
        if self.dilation < 1:
            raise UserError(f"dilation must be positive, got {self.dilation}")

    @classmethod
    def from_knobs(cls, width: int, knobs: Mapping[str, Any]) -> Self:
        return cls(width=width, dilation=knobs["dilation"], groups=groups_at(width))

    def knob_values(self) -> dict[str, Value]:
        return {"dilation": self.dilation}

    def at_width(self, width: int) -> Self:
        return self if width == self.width else replace(self, width=width, groups=groups_at(width))

    def residual(self, scale: float = 1) -> nn.Module:
        """What is added to the input is scaled, and the 1x1 convolution has a bias."""
        return Gsat(
            self.width, self.dilation, self.groups, norm=False, bias=True, activated=self.activated, scale=scale
        )
