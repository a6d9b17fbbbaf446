"""The inverted residual of MalleNet's port (`Jensen-JZ/MalleNet-PyTorch`): MobileNetV2's, with PReLU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from torch import nn

from space.blocks.block import HiddenSpec, Residual
from space.knobs import MALLE_PORT, Value
from space.layers.batch_norm import Normed

EXPANSION = 5  # hidden channels per channel, in the port


@dataclass(frozen=True, slots=True, kw_only=True)
class PReluInvertedSpec(HiddenSpec):
    """``norm`` puts batch norm after each convolution.

    ``activations`` are PReLUs (one slope each, 0 at first): 1 after the expansion only, as the port runs; 2 after the
    depthwise convolution too, as MobileNetV2 has it.
    """

    kind: ClassVar[str] = "inverted-prelu"
    meaning: ClassVar[str] = "inverted residual with PReLU, expansion 5"
    source: ClassVar[str] = MALLE_PORT

    norm: bool = False
    activations: int = 2

    @classmethod
    def from_knobs(cls, width: int, knobs: Mapping[str, Any]) -> Self:
        return cls(width=width, hidden=EXPANSION * width)

    def knob_values(self) -> dict[str, Value]:
        return {}

    def residual(self, scale: float = 1) -> nn.Module:
        return PReluInverted(self, scale)


class PReluInverted(Residual):
    """1x1 to ``hidden`` channels, depthwise 3x3, 1x1 back, plus input: `(N, width, H, W)` to the same shape."""

    def __init__(self, spec: PReluInvertedSpec, scale: float = 1) -> None:
        convolutions = (
            nn.Conv2d(spec.width, spec.hidden, 1),
            nn.Conv2d(spec.hidden, spec.hidden, 3, padding=1, groups=spec.hidden),
            nn.Conv2d(spec.hidden, spec.width, 1),
        )
        layers: list[nn.Module] = []
        for index, conv in enumerate(convolutions):
            layers.append(Normed(conv, conv.out_channels) if spec.norm else conv)
            if spec.activated and index < spec.activations:
                layers.append(nn.PReLU(init=0))
        super().__init__(scale, nn.Sequential(*layers))
