"""Features modulated by a coarse map of themselves: SMFANet's feature aggregation (Zheng et al., ECCV 2024), without
its feed-forward part.

The layers are those of `Zheng-MJ/SMFANet` (`basicsr/archs/SMFANet_arch.py`, SMFA) but for three. Each half of the
channels has a 1x1 convolution of its own, which is the same as one for both and spares their split. The local half is
widened by a 1x1 convolution after the depthwise one and not by it, for a depthwise convolution with several outputs per
channel is a slow one in most engines. The learned factor on pooled maxima is left to the convolution after it. The
first values of the knobs, ours, make a block that needs no figure of the whole image and no slow operator.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.blocks.activations import ACTIVATIONS
from space.blocks.block import BlockSpec, HiddenSpec, Residual
from space.errors import UserError
from space.knobs import SMFANET, Knob, Value
from space.layers.protocols import TakesFactor
from space.layers.unit_length import unit_length

DOWNSCALE = 8  # of the coarse map (SMFANet)
EXPANSION = 2  # channels of the local half at its activation, as a multiple of the others (SMFANet)
LARGEST = 6  # of the weights in the coarse map where features are not normalised; that of ReLU6, a fused operator

NORM = Knob(
    "modulation_norm",
    ("none", "l2"),
    "norm in front of a modulated block: none, and weights of at most 6 in its coarse map, or every pixel's channels "
    "divided by their L2 length",
    f"{SMFANET}: l2; ours: none",
)
ACTIVATION = Knob(
    "modulation_activation",
    tuple(ACTIVATIONS),
    "activation of a modulated block, of its coarse map and of its local half",
    f"{SMFANET}: gelu; ours: relu",
)
STATISTICS = Knob(
    "modulation_statistics",
    ("none", "image"),
    "what a modulated block's coarse map has of the whole image: nothing, so that tiles of it give the same, or the "
    "variance of every channel",
    f"{SMFANET}: image; ours: none",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModulatedSpec(HiddenSpec):
    """``hidden`` channels in each half; ``norm``, ``activation`` and ``statistics`` as the knobs have them."""

    kind: ClassVar[str] = "modulated"
    meaning: ClassVar[str] = "features times a coarse map of their maxima, plus local ones"
    source: ClassVar[str] = f"{SMFANET}: SMFA"
    KNOBS: ClassVar[tuple[Knob, ...]] = (NORM, ACTIVATION, STATISTICS)

    norm: str = "none"
    activation: str = "relu"
    statistics: str = "none"

    def __post_init__(self) -> None:
        HiddenSpec.__post_init__(self)
        for knob, value in zip(self.KNOBS, (self.norm, self.activation, self.statistics), strict=True):
            if value not in knob.values:
                raise UserError(f"{knob.name} must be one of {', '.join(map(str, knob.values))}, got {value!r}")

    @classmethod
    def from_knobs(cls, width: int, knobs: Mapping[str, Any]) -> Self:
        return cls(
            width=width,
            hidden=width,
            norm=knobs["modulation_norm"],
            activation=knobs["modulation_activation"],
            statistics=knobs["modulation_statistics"],
        )

    def knob_values(self) -> dict[str, Value]:
        return {
            "modulation_norm": self.norm,
            "modulation_activation": self.activation,
            "modulation_statistics": self.statistics,
        }

    def residual(self, scale: float = 1) -> nn.Module:
        return Residual(scale, nn.Sequential(Modulation(self)))

    def linear(self) -> BlockSpec:
        """Without their activations blocks of either kind are the same."""
        return replace(self, activated=False, activation="relu")


class Modulation(nn.Module, TakesFactor):
    """`(N, width, H, W)` to the same shape, H and W of any size.

    One half of the channels is multiplied by a map of an eighth of the sides: their maxima, through a depthwise 3x3 and
    a 1x1 convolution and an activation, every pixel of it for 8x8 of theirs. The other half passes a depthwise 3x3 and
    two 1x1 convolutions with an activation between them. A 1x1 convolution reads the sum of the two.

    Features times a map of themselves grow with their square. Where no norm keeps them small, the map is cut off at
    ``LARGEST`` on both sides of zero, so that they do not overflow in a deep trunk.
    """

    def __init__(self, spec: ModulatedSpec) -> None:
        super().__init__()
        width, hidden = spec.width, spec.hidden

        def activation() -> list[nn.Module]:
            return [ACTIVATIONS[spec.activation]()] if spec.activated else []

        self.normalises = spec.norm == "l2"
        self.modulated = nn.Conv2d(width, hidden, 1)
        self.pool = nn.MaxPool2d(DOWNSCALE, ceil_mode=True)  # windows at the end may be smaller
        self.depthwise = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.variance_weight = nn.Parameter(torch.zeros(1, hidden, 1, 1)) if spec.statistics == "image" else None
        weigh = activation() if self.normalises else _bounded(activation())
        self.coarse = nn.Sequential(nn.Conv2d(hidden, hidden, 1), *weigh)
        self.local = nn.Sequential(
            nn.Conv2d(width, hidden, 1),
            nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden),
            nn.Conv2d(hidden, EXPANSION * hidden, 1),
            *activation(),
            nn.Conv2d(EXPANSION * hidden, hidden, 1),
        )
        self.last = nn.Conv2d(hidden, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if self.normalises:
            x = unit_length(x)
        features = self.modulated(x)
        pooled = self.depthwise(self.pool(features))  # (N, hidden, H/8, W/8), rounded up
        if self.variance_weight is not None:
            pooled = pooled + features.var((2, 3), correction=0, keepdim=True) * self.variance_weight
        enlarged = F.interpolate(self.coarse(pooled), scale_factor=DOWNSCALE, mode="nearest")
        return self.last(features * enlarged[..., :height, :width] + self.local(x))

    @torch.no_grad()
    def multiply(self, factor: float) -> None:
        for parameter in self.last.parameters():
            parameter.mul_(factor)


def _bounded(activation: list[nn.Module]) -> list[nn.Module]:
    """``activation`` between -``LARGEST`` and ``LARGEST``."""
    if any(isinstance(each, nn.ReLU) for each in activation):
        return [nn.ReLU6()]
    return [*activation, nn.Hardtanh(-LARGEST, LARGEST)]
