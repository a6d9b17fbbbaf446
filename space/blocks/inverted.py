"""The inverted residual of MobileNetV2 (Sandler et al. 2018), with bias and without norm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from torch import nn

from space.blocks.block import HiddenSpec, Residual
from space.knobs import SLWSR, Knob, Value

EXPANSION = Knob(
    "expansion",
    (1, 2, 4, 6),
    "hidden channels of an inverted residual, as a multiple of the width",
    f"{SLWSR}: not stated; MobileNetV2 uses 6",
    elastic=True,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvertedSpec(HiddenSpec):
    """``hidden`` channels pass the depthwise convolution."""

    kind: ClassVar[str] = "inverted"
    meaning: ClassVar[str] = "inverted residual"
    source: ClassVar[str] = f"{SLWSR} section IV-B"
    KNOBS: ClassVar[tuple[Knob, ...]] = (EXPANSION,)

    @classmethod
    def from_knobs(cls, width: int, knobs: Mapping[str, Any]) -> Self:
        return cls(width=width, hidden=knobs["expansion"] * width)

    def knob_values(self) -> dict[str, Value]:
        return {"expansion": self.hidden // self.width}

    def residual(self, scale: float = 1) -> nn.Module:
        return InvertedResidual(self, scale)


class InvertedResidual(Residual):
    """1x1 to ``hidden`` channels, depthwise 3x3, 1x1 back, plus input."""

    def __init__(self, spec: InvertedSpec, scale: float = 1) -> None:
        activation = [nn.ReLU(inplace=True)] if spec.activated else []
        body = nn.Sequential(
            nn.Conv2d(spec.width, spec.hidden, 1),
            *activation,
            nn.Conv2d(spec.hidden, spec.hidden, 3, padding=1, groups=spec.hidden),
            *activation,
            nn.Conv2d(spec.hidden, spec.width, 1),
        )
        super().__init__(scale, body)
