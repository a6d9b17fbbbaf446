"""Residual blocks of two 3x3 convolutions: as released with s-LWSR (EDSR's), and as written in its equation 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from space.blocks.block import BlockSpec, HiddenSpec, Residual
from space.errors import UserError
from space.knobs import ECBSR, LAHIRI, SLWSR, SPAN, Knob, Value
from space.layers.conv3xc import Conv3XC
from space.layers.edge_conv import EdgeConv
from space.layers.lightweight import List


def dense(in_channels: int, out_channels: int, bias: bool = True) -> nn.Conv2d:
    """A plain 3x3 convolution: `(N, in, H, W)` to `(N, out, H, W)`."""
    return nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=bias)


# From channels in and out to a 3x3 convolution; the last two are trained with branches, and deployed as dense ones.
CONVOLUTIONS: dict[str, Callable[[int, int], nn.Module]] = {
    "dense": dense,
    "list": List,
    "conv3xc": Conv3XC,
    "edge": EdgeConv,
}
CONVOLUTION = Knob(
    "convolution",
    tuple(CONVOLUTIONS),
    "3x3 convolutions of a residual block: dense, LIST, or dense ones trained with branches that are folded after it,"
    " Conv3XC's or edge filters",
    f"{LAHIRI}: LIST; {SPAN}: Conv3XC; {ECBSR}: edge filters",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualSpec(HiddenSpec):
    """``convolution`` is one of ``CONVOLUTIONS``."""

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


class ResidualBlock(Residual):
    """conv3x3, ReLU, conv3x3, plus input: the block of the released s-LWSR code (`common.py`, ResBlock)."""

    def __init__(self, spec: ResidualSpec, scale: float = 1) -> None:
        activation = [nn.ReLU(inplace=True)] if spec.activated else []
        conv = CONVOLUTIONS[spec.convolution]
        first, last = conv(spec.width, spec.hidden), conv(spec.hidden, spec.width)
        super().__init__(scale, nn.Sequential(first, *activation, last))


class PreactivatedBlock(Residual):
    """a = ReLU(x); a + alpha * conv3x3(conv3x3(a)): s-LWSR equation 1, which the released code does not follow."""

    def __init__(self, spec: ResidualSpec, scale: float = 1) -> None:
        conv = CONVOLUTIONS[spec.convolution]
        super().__init__(scale, nn.Sequential(conv(spec.width, spec.hidden), conv(spec.hidden, spec.width)))
        self.activation = nn.ReLU() if spec.activated else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.activation(x))
