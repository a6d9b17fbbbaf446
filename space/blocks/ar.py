"""The AR block of the Feature-Align network (Young et al., arXiv 2103.01524).

The form is that of a re-implementation for another task (`yifanlu0227/HEAL`, `feature_alignnet_modules.py`); how close
it is to the paper's is not known.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import nn

from space.blocks.block import BlockSpec, Residual
from space.blocks.gsat import DILATIONS
from space.errors import UserError
from space.knobs import FAN_CODE, LAHIRI, Knob, Value
from space.layers.lightweight import Gsat, List
from space.layers.protocols import StartsItself, TakesFactor
from space.parts import Make, construct

GROUPS = 8  # of the 3x3 convolution in the re-implementation; as many of them as divide the width
CONVOLUTIONS = ("grouped", "depthwise", "list", "gsat")
CONVOLUTION = Knob(
    "ar_convolution",
    CONVOLUTIONS,
    "3x3 convolution of an AR block: in 8 groups, one per channel, LIST or GSAT",
    f"{FAN_CODE}: 8 groups; {LAHIRI}: LIST, GSAT",
)
DILATION = Knob(
    "ar_dilation", DILATIONS, "dilation of a GSAT in an AR block", f"{LAHIRI}: GSAT", {CONVOLUTION.name: ("gsat",)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArSpec(BlockSpec):
    """``convolution`` is one of ``CONVOLUTIONS``; only a GSAT has a ``dilation``."""

    kind: ClassVar[str] = "ar"
    meaning: ClassVar[str] = "1x1, 3x3 and 1x1 convolution"
    source: ClassVar[str] = FAN_CODE
    KNOBS: ClassVar[tuple[Knob, ...]] = (CONVOLUTION, DILATION)
    HAS_SKIP: ClassVar[bool] = False

    convolution: str = "grouped"
    dilation: int = 1

    def __post_init__(self) -> None:
        BlockSpec.__post_init__(self)
        if self.convolution not in CONVOLUTIONS:
            raise UserError(f"unknown 3x3 convolution {self.convolution!r}; known: {', '.join(CONVOLUTIONS)}")
        if self.dilation < 1 or (self.dilation > 1 and self.convolution != "gsat"):
            raise UserError(f"dilation must be 1, or more of a gsat, got {self.dilation} of {self.convolution!r}")

    @classmethod
    def from_knobs(cls, width: int, knobs: Mapping[str, Any]) -> Self:
        return cls(width=width, convolution=knobs["ar_convolution"], dilation=knobs.get("ar_dilation", 1))

    def knob_values(self) -> dict[str, Value]:
        dilation: dict[str, Value] = {"ar_dilation": self.dilation} if self.convolution == "gsat" else {}
        return {"ar_convolution": self.convolution, **dilation}

    def residual(self, scale: float = 1) -> nn.Module:
        return Residual(scale, nn.Sequential(_ArBranch(self, self.width)))

    def changing(self, out_width: int, make: Make = construct) -> nn.Module:
        """The block without a skip around it."""
        return make(ArBlock, self, out_width)


class _ArBranch(nn.Sequential, TakesFactor):
    """1x1, ReLU, 3x3, ReLU, 1x1: `(N, spec.width, H, W)` to `(N, out, H, W)`; biases, no norm, no skip."""

    def __init__(self, spec: ArSpec, out_channels: int) -> None:
        width = spec.width
        super().__init__(
            nn.Conv2d(width, width, 1),
            *([nn.ReLU()] if spec.activated else []),
            *spatial(spec),
            nn.Conv2d(width, out_channels, 1),
        )

    @torch.no_grad()
    def multiply(self, factor: float) -> None:
        for parameter in self[-1].parameters():
            parameter.mul_(factor)


class ArBlock(_ArBranch, StartsItself):
    """An AR block without a skip around it: `(N, spec.width, H, W)` to `(N, out, H, W)`."""

    @torch.no_grad()
    def reset(self) -> None:
        """Widen weights drawn within 1/sqrt(fan in), so that values keep their spread from block to block.

        Within sqrt(6/fan in) before a ReLU, sqrt(3/fan in) at the end, biases at zero (He et al. 2015, section 2.2);
        LIST and GSAT stay. Otherwise each convolution leaves 0.4 to 0.6 of the spread, and nothing of the image
        reaches the end: inpainting with 16 channels at 4 levels gained 0.18, 0.27 and 1.03 dB after 100, 200 and 400
        steps (8 patches of 32x32), and with this 1.43, 2.64 and 3.83.
        """
        layers = list(self)
        for layer, after in zip(layers, [*layers[1:], None], strict=True):
            if isinstance(layer, nn.Conv2d):
                layer.weight.mul_(math.sqrt(6 if isinstance(after, nn.ReLU) else 3))
                if layer.bias is not None:
                    layer.bias.zero_()


def spatial(spec: ArSpec) -> tuple[nn.Module, ...]:
    """The 3x3 convolution of an AR block and its ReLU; a GSAT contains its own."""
    channels = spec.width
    if spec.convolution == "gsat":
        groups = math.gcd(GROUPS, channels)
        return (Gsat(channels, spec.dilation, groups, norm=False, bias=True, activated=spec.activated),)
    groups = channels if spec.convolution == "depthwise" else math.gcd(GROUPS, channels)
    dense = nn.Conv2d(channels, channels, 3, padding=1, groups=groups)
    return (List(channels, channels) if spec.convolution == "list" else dense, *([nn.ReLU()] if spec.activated else []))
