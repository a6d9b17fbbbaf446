"""The interface of a block: a frozen value that describes it, knows its knobs and builds its module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from space.architecture import Tagged
from space.errors import UserError
from space.knobs import Knob, Value
from space.layers.protocols import Foldable, StartsItself, TakesFactor
from space.parts import Make, construct


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSpec(Tagged, ABC):
    """One block of a trunk with ``width`` channels in and out; ``activated=False`` removes its activation.

    Each kind adds its own fields and is listed in ``space.blocks.BLOCKS``. Inner channels are explicit, so that a
    pruned block can be described too.

    Raises:
        UserError: a field is out of range.
    """

    meaning: ClassVar[str]
    source: ClassVar[str]
    KNOBS: ClassVar[tuple[Knob, ...]] = ()  # its own; their conditions name each other only
    HAS_SKIP: ClassVar[bool] = True  # what ``changing`` gives adds its input somewhere

    width: int
    activated: bool = True

    def __post_init__(self) -> None:
        if self.width < 1:
            raise UserError(f"a block's width must be positive, got {self.width}")

    @classmethod
    @abstractmethod
    def from_knobs(cls, width: int, knobs: Mapping[str, Any]) -> Self:
        """The block at ``width`` channels that values of ``KNOBS`` describe."""

    @abstractmethod
    def knob_values(self) -> dict[str, Value]:
        """The values of ``KNOBS`` that describe it; they may lie off the grid."""

    @property
    def keeps_scale(self) -> bool:
        """Whether the deploy form multiplies by a scale other than 1: no weight takes it in."""
        return False

    @abstractmethod
    def residual(self, scale: float = 1) -> nn.Module:
        """`(N, width, H, W)` to the same shape: input plus ``scale`` times a branch."""

    def changing(self, out_width: int, make: Make = construct) -> nn.Module:
        """`(N, width, H, W)` to `(N, out_width, H, W)`: by default a 1x1 convolution, then the block."""
        if out_width == self.width:
            return make(type(self).residual, self)
        projection = make(_Projection, self.width, out_width)
        return nn.Sequential(projection, make(type(self).residual, self.at_width(out_width)))

    def at_width(self, width: int) -> Self:
        """The same design at another width."""
        return self if width == self.width else replace(self, width=width)

    def linear(self) -> BlockSpec:
        """The same block without its activation."""
        return replace(self, activated=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class HiddenSpec(BlockSpec):
    """A block with ``hidden`` channels between its first and last convolution."""

    hidden: int

    def __post_init__(self) -> None:
        if min(self.width, self.hidden) < 1:
            raise UserError(f"block channels must be positive, got width {self.width} and hidden {self.hidden}")

    def at_width(self, width: int) -> Self:
        if width == self.width:
            return self
        return replace(self, width=width, hidden=max(1, self.hidden * width // self.width))


class Residual(nn.Module, Foldable):
    """Input plus ``scale`` times ``body``: `(N, C, H, W)` to the same shape.

    ``fold`` moves the scale into the weights of the last layer, so that a deployed block has no multiplication left.
    """

    def __init__(self, scale: float, body: nn.Sequential) -> None:
        super().__init__()
        self.scale = scale
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        branch = self.body(x)
        return x + (branch if self.scale == 1 else self.scale * branch)

    @torch.no_grad()
    def fold(self) -> None:
        """Move the scale into the last layer; the block computes the same as before."""
        last = self.body[-1]
        if isinstance(last, TakesFactor):
            last.multiply(self.scale)
        else:
            for parameter in last.parameters():
                parameter.mul_(self.scale)
        self.scale = 1


class _Projection(nn.Conv2d, StartsItself):
    """A 1x1 convolution to another width, without an activation."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 1)

    @torch.no_grad()
    def reset(self) -> None:
        """Widen weights drawn within 1/sqrt(fan in) to sqrt(3/fan in), which keeps the spread (He et al. 2015)."""
        self.weight.mul_(3**0.5)
        if self.bias is not None:
            self.bias.zero_()
