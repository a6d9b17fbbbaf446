"""Partial convolution: only some of the hidden channels see a 3x3 convolution.

FasterNet's (Chen et al., CVPR 2023, arXiv 2303.03667), in the place that it has in the feed-forward of SMFANet (Zheng
et al., ECCV 2024), there PCFN: behind the expansion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from space.blocks.activations import ACTIVATIONS
from space.blocks.block import BlockSpec, HiddenSpec, Residual
from space.errors import UserError
from space.knobs import SMFANET, Knob, Value
from space.layers.protocols import TakesFactor

SHARE = 4  # one of so many hidden channels sees the 3x3 convolution
EXPANSION = Knob(
    "partial_expansion",
    (1, 2, 4),
    "hidden channels of a block with partial convolution, as a multiple of the width",
    f"{SMFANET}, PCFN: 2",
    elastic=True,
)
ACTIVATION = Knob(
    "partial_activation",
    tuple(ACTIVATIONS),
    "activations of a block with partial convolution; phones compute GELU an operator at a time",
    f"{SMFANET}, PCFN: gelu; relu: ours, cheaper, fused into the convolutions",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialSpec(HiddenSpec):
    """``hidden`` channels, at least 2; ``activation`` is one of ``ACTIVATIONS``, ``relu`` of a block without one."""

    kind: ClassVar[str] = "partial"
    meaning: ClassVar[str] = "1x1, 3x3 of a quarter of the channels, 1x1"
    source: ClassVar[str] = f"{SMFANET}: PCFN; partial convolution: FasterNet (arXiv 2303.03667)"
    KNOBS: ClassVar[tuple[Knob, ...]] = (EXPANSION, ACTIVATION)

    activation: str = "relu"

    def __post_init__(self) -> None:
        HiddenSpec.__post_init__(self)
        if self.hidden < 2:
            raise UserError(f"hidden channels of a partial convolution must be at least 2, got {self.hidden}")
        if self.activation not in ACTIVATIONS:
            raise UserError(f"unknown activation {self.activation!r}; known: {', '.join(ACTIVATIONS)}")

    @property
    def mixed(self) -> int:
        """Hidden channels that see the 3x3 convolution."""
        return max(1, self.hidden // SHARE)

    @classmethod
    def from_knobs(cls, width: int, knobs: Mapping[str, Any]) -> Self:
        hidden = knobs["partial_expansion"] * width
        return cls(width=width, hidden=hidden, activation=knobs["partial_activation"])

    def knob_values(self) -> dict[str, Value]:
        return {"partial_expansion": self.hidden // self.width, "partial_activation": self.activation}

    def residual(self, scale: float = 1) -> nn.Module:
        return Residual(scale, nn.Sequential(_PartialBranch(self)))

    def linear(self) -> BlockSpec:
        """Without its activations it is the same function whatever they were: one name for it."""
        return replace(self, activated=False, activation="relu")


class _PartialBranch(nn.Module, TakesFactor):
    """1x1 up, 3x3 of the first quarter of the channels, 1x1 down: `(N, width, H, W)` to the same shape.

    The first 1x1 convolution is written as two side by side, of the channels that see the 3x3 convolution and of the
    others, so that nothing has to be cut apart: the same function with the same counts.
    """

    def __init__(self, spec: PartialSpec) -> None:
        super().__init__()

        def activation() -> list[nn.Module]:
            return [ACTIVATIONS[spec.activation]()] if spec.activated else []

        mixed = spec.mixed
        self.mix = nn.Sequential(
            nn.Conv2d(spec.width, mixed, 1), *activation(), nn.Conv2d(mixed, mixed, 3, padding=1), *activation()
        )
        self.keep = nn.Sequential(nn.Conv2d(spec.width, spec.hidden - mixed, 1), *activation())
        self.down = nn.Conv2d(spec.hidden, spec.width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(torch.cat((self.mix(x), self.keep(x)), 1))

    @torch.no_grad()
    def multiply(self, factor: float) -> None:
        for parameter in self.down.parameters():
            parameter.mul_(factor)
