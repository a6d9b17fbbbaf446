"""The parameter-free attention block of SPAN, and SPANV2's with a learned gate, as residual branches.

In both networks the gated sum is the block's whole result. The skip around it is ours, as in every block of a trunk: it
lets a trunk start near the identity, at any depth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import nn

from space.blocks.block import BlockSpec, Residual
from space.blocks.residual import dense
from space.errors import UserError
from space.knobs import SPAN, SPANV2, Knob, Value
from space.layers.conv3xc import Conv3XC
from space.layers.protocols import StartsItself, TakesFactor
from space.layers.spab import Spab
from space.layers.spabv2 import SpabV2

GATES = ("sigmoid", "learned")
GATE = Knob(
    "gate",
    GATES,
    "weights of a SPAB: from a sigmoid, with SiLU between the convolutions; from a 1x1 convolution, with ReLU",
    f"{SPAN}: sigmoid; {SPANV2}: learned",
)
CONVOLUTIONS: dict[str, Callable[[int, int, bool], nn.Module]] = {"dense": dense, "conv3xc": Conv3XC}
CONVOLUTION = Knob(
    "spab_convolution",
    tuple(CONVOLUTIONS),
    "3x3 convolutions of a SPAB: dense, or dense ones trained with branches that are folded after it, Conv3XC's",
    f"{SPAN}: Conv3XC",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpabSpec(BlockSpec):
    """``gate`` is one of ``GATES``, ``convolution`` is ``dense`` or ``conv3xc``.

    Without its activation, there is none between the convolutions; the gate stays.
    """

    kind: ClassVar[str] = "spab"
    meaning: ClassVar[str] = "three 3x3 convolutions whose result also weighs its sum with the input"
    source: ClassVar[str] = f"{SPAN}: SPAB; {SPANV2}: SPABV2; ours: the skip around it"
    KNOBS: ClassVar[tuple[Knob, ...]] = (GATE, CONVOLUTION)

    gate: str = "sigmoid"
    convolution: str = "dense"

    def __post_init__(self) -> None:
        BlockSpec.__post_init__(self)
        for name, known in (("gate", GATES), ("convolution", tuple(CONVOLUTIONS))):
            if getattr(self, name) not in known:
                raise UserError(f"{name} of a SPAB must be one of {', '.join(known)}, got {getattr(self, name)!r}")

    @classmethod
    def from_knobs(cls, width: int, knobs: Mapping[str, Any]) -> Self:
        return cls(width=width, gate=knobs[GATE.name], convolution=knobs[CONVOLUTION.name])

    def knob_values(self) -> dict[str, Value]:
        return {GATE.name: self.gate, CONVOLUTION.name: self.convolution}

    @property
    def keeps_scale(self) -> bool:
        """No weights stand behind the sigmoid and the sum, which could take the scale in."""
        return self.gate == "sigmoid"

    def residual(self, scale: float = 1) -> nn.Module:
        """x + scale * (x + d) * gate(d), where d is what the third of the 3x3 convolutions gives."""
        made = Spab if self.gate == "sigmoid" else _LearnedSpab
        body = nn.Sequential(made(self.width, None, True, CONVOLUTIONS[self.convolution], not self.activated))
        return _SigmoidGated(scale, body) if self.keeps_scale else Residual(scale, body)


class _SigmoidGated(Residual):
    """A residual block whose scale stays a multiplication when it is deployed."""

    def fold(self) -> None:
        """Nothing to fold: the branch ends with a product of its input, its convolutions and a sigmoid."""


class _LearnedSpab(SpabV2, TakesFactor, StartsItself):
    """A SPABV2 whose gate takes the scale in."""

    @torch.no_grad()
    def reset(self) -> None:
        """Start with the gate's biases alone, which multiply each channel by a number.

        With weights as drawn the block squares its input, and where trunks are deep or repeated nothing bounds that:
        of 40 random networks of the symmetric backbone 16 give NaN for a first image, with biases alone none does.
        """
        assert self.guidance is not None
        self.guidance.weight.zero_()

    @torch.no_grad()
    def multiply(self, factor: float) -> None:
        assert self.guidance is not None
        for parameter in self.guidance.parameters():
            parameter.mul_(factor)
