"""Residual blocks of two 3x3 convolutions: as released with s-LWSR (EDSR's), and as written in its equation 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from space.blocks.block import BlockSpec, HiddenSpec, Residual
from space.errors import UserError
from space.knobs import LAHIRI, SLWSR, Knob, Value
from space.layers.lightweight import List

CONVOLUTIONS = ("dense", "list")
CONVOLUTION = Knob("convolution", CONVOLUTIONS, "3x3 convolutions of a residual block", f"{LAHIRI}: LIST")


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualSpec(HiddenSpec):
    """``convolution`` is ``dense`` or ``list`` (``space.layers.lightweight.List``)."""

    kind: ClassVar[str] = "residual"
    meaning: ClassVar[str] = "residual block as released (EDSR)"
    source: ClassVar[str] = f"{SLWSR}, released code"
    KNOBS: ClassVar[tuple[Knob, ...]] = (CONVOLUTION,)

    convolution: str = "dense"

    def __post_init__(self) -> None:
        HiddenSpec.__post_init__(self)
        if self.convolution not in CONVOLUTIONS:
            raise UserError(f"unknown 3x3 convolution {self.convolution!r}; known: {', '.join(CONVOLUTIONS)}")

    @classmethod
    def from_knobs(cls, width: int, knobs: Mapping[str, Any]) -> Self:
        return cls(width=width, hidden=width, convolution=knobs["convolution"])

    def knob_values(self) -> dict[str, Value]:
        return {"convolution": self.convolution}

    def residual(self, scale: float = 1) -> nn.Module:
        return ResidualBlock(self, scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class PreactivatedSpec(ResidualSpec):
    """As ``ResidualSpec``, with its activation in front."""

    kind: ClassVar[str] = "preactivated"
    meaning: ClassVar[str] = "residual block as in the text, activated in front"
    source: ClassVar[str] = f"{SLWSR} equation 1"

    def residual(self, scale: float = 1) -> nn.Module:
        return PreactivatedBlock(self, scale)

    def linear(self) -> BlockSpec:
        """Without their activation both forms are the same function: one name for it."""
        return ResidualSpec(width=self.width, hidden=self.hidden, activated=False, convolution=self.convolution)


def conv3x3(spec: ResidualSpec, in_channels: int, out_channels: int) -> nn.Module:
    """The 3x3 convolution that ``spec`` asks for."""
    if spec.convolution == "list":
        return List(in_channels, out_channels)
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)


class ResidualBlock(Residual):
    """conv3x3, ReLU, conv3x3, plus input: the block of the released s-LWSR code (`common.py`, ResBlock)."""

    def __init__(self, spec: ResidualSpec, scale: float = 1) -> None:
        activation = [nn.ReLU(inplace=True)] if spec.activated else []
        first, last = conv3x3(spec, spec.width, spec.hidden), conv3x3(spec, spec.hidden, spec.width)
        super().__init__(scale, nn.Sequential(first, *activation, last))


class PreactivatedBlock(Residual):
    """a = ReLU(x); a + alpha * conv3x3(conv3x3(a)): s-LWSR equation 1, which the released code does not follow."""

    def __init__(self, spec: ResidualSpec, scale: float = 1) -> None:
        first, last = conv3x3(spec, spec.width, spec.hidden), conv3x3(spec, spec.hidden, spec.width)
        super().__init__(scale, nn.Sequential(first, last))
        self.activation = nn.ReLU() if spec.activated else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.activation(x))
