"""The inverted residual of MobileNetV2 (Sandler et al. 2018), with bias and without norm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from torch import nn

from space.architecture import LATER
from space.blocks.block import HiddenSpec, Residual
from space.errors import UserError
from space.knobs import SLWSR, Knob, Value

EXPANSION = Knob(
    "expansion",
    (1, 2, 4, 6),
    "hidden channels of an inverted residual, as a multiple of the width",
    f"{SLWSR}: not stated; MobileNetV2 uses 6",
    elastic=True,
)
KERNEL = Knob(
    "depthwise_kernel",
    (3, 5, 7, 9, 13),
    "pixels per side of an inverted residual's depthwise kernel; beyond 5 XNNPACK has no fast one (32 channels at "
    "160x96, one x86 core: 5 takes 0.8 ms, 7 takes 11, 13 takes 62)",
    "MobileNetV2: 3; larger ones: ConvNeXt (Liu et al., CVPR 2022): 7, RepLKNet (Ding et al., CVPR 2022): 13",
    default=3,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvertedSpec(HiddenSpec):
    """``hidden`` channels pass the depthwise convolution, whose ``kernel`` is odd, in pixels per side."""

    kind: ClassVar[str] = "inverted"
    meaning: ClassVar[str] = "inverted residual"
    source: ClassVar[str] = f"{SLWSR} section IV-B"
    KNOBS: ClassVar[tuple[Knob, ...]] = (EXPANSION, KERNEL)

    kernel: int = field(default=3, metadata=LATER)

    def __post_init__(self) -> None:
        HiddenSpec.__post_init__(self)
        if self.kernel < 1 or self.kernel % 2 == 0:
            raise UserError(f"a depthwise kernel must be odd and positive, got {self.kernel}")

    @classmethod
    def from_knobs(cls, width: int, knobs: Mapping[str, Any]) -> Self:
        """A kernel of 3 where the knob is not offered (``space.backbones.row``)."""
        return cls(width=width, hidden=knobs["expansion"] * width, kernel=knobs.get("depthwise_kernel", 3))

    def knob_values(self) -> dict[str, Value]:
        return {"expansion": self.hidden // self.width, "depthwise_kernel": self.kernel}

    def residual(self, scale: float = 1) -> nn.Module:
        return InvertedResidual(self, scale)


class InvertedResidual(Residual):
    """1x1 to ``hidden`` channels, depthwise, 1x1 back, plus input."""

    def __init__(self, spec: InvertedSpec, scale: float = 1) -> None:
        activation = [nn.ReLU(inplace=True)] if spec.activated else []
        body = nn.Sequential(
            nn.Conv2d(spec.width, spec.hidden, 1),
            *activation,
            nn.Conv2d(spec.hidden, spec.hidden, spec.kernel, padding=spec.kernel // 2, groups=spec.hidden),
            *activation,
            nn.Conv2d(spec.hidden, spec.width, 1),
        )
        super().__init__(scale, body)
