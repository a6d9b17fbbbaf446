"""A residual block of two blueprint separable convolutions, as those in BSRN (Li et al., CVPR Workshops 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from torch import nn

from space.blocks.block import HiddenSpec, Residual
from space.knobs import Value
from space.layers.bsconv import BsConv


@dataclass(frozen=True, slots=True, kw_only=True)
class BsConvSpec(HiddenSpec):
    """``hidden`` channels between the two convolutions, as many as the width in searched networks."""

    kind: ClassVar[str] = "bsconv"
    meaning: ClassVar[str] = "residual block of blueprint separable convolutions: 1x1, then depthwise 3x3"
    source: ClassVar[str] = "BSConv-U (Haase and Amthor, CVPR 2020, arXiv 2003.13549), as in BSRN (arXiv 2205.05996)"

    @classmethod
    def from_knobs(cls, width: int, knobs: Mapping[str, Any]) -> Self:
        return cls(width=width, hidden=width)

    def knob_values(self) -> dict[str, Value]:
        return {}

    def residual(self, scale: float = 1) -> nn.Module:
        return BsConvBlock(self, scale)


class BsConvBlock(Residual):
    """1x1, depthwise 3x3, ReLU, 1x1, depthwise 3x3, plus input: `(N, width, H, W)` to the same shape.

    As in BSRN, the 1x1 convolutions have no bias. A dense residual block of C channels has 18 C^2 weights, this
    2 C^2 + 18 C.
    """

    def __init__(self, spec: BsConvSpec, scale: float = 1) -> None:
        activation = [nn.ReLU(inplace=True)] if spec.activated else []
        first = BsConv(spec.width, spec.hidden, pointwise_bias=False)
        last = BsConv(spec.hidden, spec.width, pointwise_bias=False)
        super().__init__(scale, nn.Sequential(first, *activation, last))
