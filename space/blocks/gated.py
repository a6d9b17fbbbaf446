"""A gated feed-forward network, with or without self-attention among channels before it: ZenoSR's channel transformer.

What passes a gate is a product of features, which grows with their square. Either a norm in front keeps them small, or
the gate is cut off, by ReLU6 in place of GELU: as in ``space.blocks.modulated``, and cheapest, for it is fused into the
convolution before it. Gates without either are left out.

Measured on sr x4 with a plain trunk of residual blocks under the product's training, dB above bicubic, one seed; the
gates without norm and bound stay finite in these trainings, and are no better:

| gated blocks after | alone | no norm, no bound | none | l2 | layer |
| --- | --- | --- | --- | --- | --- |
| every second of 8, 16 channels, 300 steps | 0.890 | 0.902 | 0.891 | 0.902 | 0.907 |
| the same, with attention | | 0.897 | 0.903 | | |
| each of 10, 8 channels, 200 steps | | 0.597 | 0.610 | 0.602 | 0.599 |
| the same, with attention | | 0.581 | | | |
| each of 4 that are run 4 times, 16 channels, 200 steps | | 0.774 | 0.785 | | |

All are ties; attention doubles the time of a step, l2 and layer norm take half as long again as none. After 96 residual
and gated blocks as drawn, the largest values of 16 channels are 34 with l2 or layer norm, 64 with none, and 106 without
norm and bound (the largest of three draws).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from space.blocks.block import HiddenSpec, Residual
from space.errors import UserError
from space.knobs import ZENOSR, Knob, Value
from space.layers.channel_self_attention import ChannelSelfAttention
from space.layers.gated_feed_forward import GatedFeedForward
from space.layers.layer_norm import ChannelLayerNorm
from space.layers.protocols import TakesFactor
from space.layers.unit_length import UnitLength

EXPANSION = 2  # hidden channels after the gate, as a multiple of the width (ZenoSR)
LARGEST = 6.0  # of a gate without a norm
NORMS: dict[str, Callable[[int], nn.Module]] = {
    "none": lambda _: nn.Identity(),
    "l2": lambda _: UnitLength(),
    "layer": ChannelLayerNorm,
}
ATTENTIONS = ("none", "channels")

ATTENTION = Knob(
    "gated_attention",
    ATTENTIONS,
    "before a gated feed-forward network: nothing, or self-attention among channels by their likeness over the image",
    f"{ZENOSR}: channels; ours: none",
)
NORM = Knob(
    "gated_norm",
    tuple(NORMS),
    "norm in front of each part of a gated block: none, and gates of at most 6; every pixel's channels divided by "
    "their L2 length; layer norm. In trainings of 200 and 300 steps all are ties",
    f"{ZENOSR}: layer; ours: none, l2",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedSpec(HiddenSpec):
    """``hidden`` channels after the gate; ``attention`` is one of ``ATTENTIONS``, ``norm`` one of ``NORMS``.

    Without its activation the gate is a product alone, cut off on both sides where there is no norm.
    """

    kind: ClassVar[str] = "gated"
    meaning: ClassVar[str] = "gated feed-forward network of normalised features"
    source: ClassVar[str] = f"{ZENOSR}, after Restormer (Zamir et al., CVPR 2022, arXiv 2111.09881)"
    KNOBS: ClassVar[tuple[Knob, ...]] = (ATTENTION, NORM)

    attention: str = "none"
    norm: str = "none"

    def __post_init__(self) -> None:
        HiddenSpec.__post_init__(self)
        for name, known in (("attention", ATTENTIONS), ("norm", tuple(NORMS))):
            if getattr(self, name) not in known:
                raise UserError(
                    f"{name} of a gated block must be one of {', '.join(known)}, got {getattr(self, name)!r}"
                )

    @classmethod
    def from_knobs(cls, width: int, knobs: Mapping[str, Any]) -> Self:
        return cls(width=width, hidden=EXPANSION * width, attention=knobs[ATTENTION.name], norm=knobs[NORM.name])

    def knob_values(self) -> dict[str, Value]:
        return {ATTENTION.name: self.attention, NORM.name: self.norm}

    @property
    def keeps_scale(self) -> bool:
        """What attention gives is added and read on, so that no weight can take in a factor on its sum alone."""
        return self.attention != "none"

    def residual(self, scale: float = 1) -> nn.Module:
        if self.keeps_scale:
            return _Attended(scale, nn.Sequential(_AttendedBranch(self)))
        return Residual(scale, nn.Sequential(NORMS[self.norm](self.width), _FeedForward(self)))


class _FeedForward(GatedFeedForward, TakesFactor):
    """`(N, width, H, W)` to the same shape."""

    def __init__(self, spec: GatedSpec) -> None:
        if spec.norm == "none":
            activation: nn.Module = nn.ReLU6() if spec.activated else nn.Hardtanh(-LARGEST, LARGEST)
        else:
            activation = nn.GELU() if spec.activated else nn.Identity()
        super().__init__(spec.width, spec.hidden / spec.width, activation=activation)

    @torch.no_grad()
    def multiply(self, factor: float) -> None:
        self.down.weight.mul_(factor)


class _AttendedBranch(nn.Module):
    """What attention and the feed-forward network after it add: `(N, width, H, W)` to the same shape."""

    def __init__(self, spec: GatedSpec) -> None:
        super().__init__()
        bound = LARGEST if spec.norm == "none" else None
        self.attention_norm, self.norm = NORMS[spec.norm](spec.width), NORMS[spec.norm](spec.width)
        self.attention, self.feed_forward = ChannelSelfAttention(spec.width, bound), _FeedForward(spec)

    def forward(self, x: Tensor) -> Tensor:
        attended = self.attention(self.attention_norm(x))
        return attended + self.feed_forward(self.norm(x + attended))


class _Attended(Residual):
    """A residual block whose scale stays a multiplication when it is deployed."""

    def fold(self) -> None:
        """Nothing to fold (``GatedSpec.keeps_scale``)."""
