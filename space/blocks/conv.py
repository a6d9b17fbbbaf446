"""One 3x3 convolution with its input added inside its weights: deployed, a row of them is a plain chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from torch import nn

from space.blocks.block import BlockSpec
from space.knobs import Value
from space.layers.computed_conv import IdentityConv


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvSpec(BlockSpec):
    """ReLU, then one convolution."""

    kind: ClassVar[str] = "conv"
    meaning: ClassVar[str] = "ReLU and one 3x3 convolution, whose input is added inside its weights"
    source: ClassVar[str] = "RepVGG (Ding et al., CVPR 2021, arXiv 2101.03697), without batch norm"

    @classmethod
    def from_knobs(cls, width: int, knobs: Mapping[str, Any]) -> Self:
        return cls(width=width)

    def knob_values(self) -> dict[str, Value]:
        return {}

    def residual(self, scale: float = 1) -> nn.Module:
        """a + ``scale`` * conv3x3(a), a = ReLU(x): as a ``preactivated`` block of one convolution."""
        conv = IdentityConv(self.width, self.width, scale=scale)
        return nn.Sequential(nn.ReLU(), conv) if self.activated else conv
