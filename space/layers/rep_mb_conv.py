"""Reparameterised inverted bottleneck (RepMBConv; Wang et al., ACCV 2024, arXiv 2409.13435, PlainUSR)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.layers.computed_conv import ComputedConv, Weights
from space.layers.protocols import Composed
from space.layers.weight_and_bias import weight_and_bias

GATE_REDUCTION = 4  # channels per hidden channel of the gate
GATE_INPUT = 0.1  # initial value of what the gate is computed from


class RepMBConv(ComputedConv, Composed):
    """A 3x3 convolution whose weights are those of a wide, gated bottleneck with two skips, also while it trains.

    `(N, C, H, W)` to the same shape.

    1x1 to ``expansion`` times the channels; plus a dense 3x3 of it, times a gate; 1x1 back; plus the input. The gate is
    one factor in (0, 1) per wide channel, computed from learned constants instead of the image, so that all of it
    folds. It starts near 1/2; in the authors' code it starts saturated at 1, where it has no gradient.
    """

    def __init__(self, channels: int, expansion: int = 2) -> None:
        super().__init__()
        wide = expansion * channels
        self.expand = nn.Conv2d(channels, wide, 1)
        self.wide = nn.Conv2d(wide, wide, 3)
        self.reduce = nn.Conv2d(wide, channels, 1)
        self.gate_input = nn.Parameter(torch.full((1, wide, 1, 1), GATE_INPUT))
        self.gate = nn.Sequential(
            nn.Linear(wide, wide // GATE_REDUCTION, bias=False),
            nn.SiLU(),
            nn.Linear(wide // GATE_REDUCTION, wide, bias=False),
            nn.Sigmoid(),
        )

    def layer_by_layer(self, x: Tensor) -> Tensor:
        if self.plain is not None:
            return self.plain(x)
        padded = self.expand(F.pad(x, (1, 1, 1, 1)))  # its bias stands in the border, so that a fold is exact there
        gate = self.gate(self.gate_input.flatten(1))[:, :, None, None]
        return self.reduce(gate * self.wide(padded) + padded[:, :, 1:-1, 1:-1]) + x

    def weights(self) -> Weights:
        (expand, expand_bias), (wide, wide_bias), (reduce, reduce_bias) = map(
            weight_and_bias, (self.expand, self.wide, self.reduce)
        )
        gate = self.gate(self.gate_input.flatten(1))[0]
        middle = gate[:, None, None, None] * wide + _identity(len(gate), wide)
        shift = middle.sum((2, 3)) @ expand_bias + gate * wide_bias
        weight = torch.einsum("om,mnhw,ni->oihw", reduce[:, :, 0, 0], middle, expand[:, :, 0, 0])
        return weight + _identity(len(weight), weight), reduce[:, :, 0, 0] @ shift + reduce_bias


def _identity(channels: int, like: Tensor) -> Tensor:
    """The 3x3 kernels `(channels, channels, 3, 3)` that change nothing."""
    return F.pad(torch.eye(channels, dtype=like.dtype, device=like.device)[:, :, None, None], (1, 1, 1, 1))
