"""Depthwise kernels of several shapes between two 1x1 convolutions, after VSCINet's residual block (NTIRE 2026)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

from torch import nn

from space.blocks.activations import ACTIVATIONS
from space.blocks.block import BlockSpec, HiddenSpec, Residual
from space.errors import UserError
from space.knobs import VSCINET, Knob, Value
from space.layers.multi_scale_conv import BRANCHES, MultiScaleConv

ACTIVATION = Knob(
    "multi_scale_activation",
    tuple(ACTIVATIONS),
    "activation of a multi-scale block, after its depthwise convolutions",
    f"{VSCINET}: gelu; ours: relu",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiScaleSpec(HiddenSpec):
    """A quarter of the ``hidden`` channels, a multiple of 4, passes each kernel; ``activation`` is relu or gelu."""

    kind: ClassVar[str] = "multi-scale"
    meaning: ClassVar[str] = "1x1, depthwise in four shapes, 1x1"
    source: ClassVar[str] = f"{VSCINET}: MSRB"
    KNOBS: ClassVar[tuple[Knob, ...]] = (ACTIVATION,)

    activation: str = "relu"

    def __post_init__(self) -> None:
        HiddenSpec.__post_init__(self)
        if self.hidden % BRANCHES:
            raise UserError(
                f"hidden channels of a multi-scale block must be a multiple of {BRANCHES}, got {self.hidden}"
            )
        if self.activation not in ACTIVATIONS:
            raise UserError(f"{ACTIVATION.name} must be one of {', '.join(ACTIVATIONS)}, got {self.activation!r}")

    @classmethod
    def from_knobs(cls, width: int, knobs: Mapping[str, Any]) -> Self:
        return cls(width=width, hidden=width, activation=knobs["multi_scale_activation"])

    def knob_values(self) -> dict[str, Value]:
        return {"multi_scale_activation": self.activation}

    def residual(self, scale: float = 1) -> nn.Module:
        return MultiScaleBlock(self, scale)

    def linear(self) -> BlockSpec:
        """Without their activation blocks of either kind are the same."""
        return replace(self, activated=False, activation="relu")


class MultiScaleBlock(Residual):
    """1x1 to ``hidden`` channels, depthwise in four shapes, activation, 1x1 back, plus input.

    `(N, width, H, W)` to the same shape. VSCINet adds the input before the activation, and has no convolution after it.
    There a channel of the features could only go with those in the same place of the other quarters; here that holds of
    ``hidden`` channels alone.
    """

    def __init__(self, spec: MultiScaleSpec, scale: float = 1) -> None:
        activation = ACTIVATIONS[spec.activation]() if spec.activated else None
        first = MultiScaleConv(spec.hidden, in_channels=spec.width, bias=True, activation=activation)
        super().__init__(scale, nn.Sequential(first, nn.Conv2d(spec.hidden, spec.width, 1)))
