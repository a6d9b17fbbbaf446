"""Convolutions whose weights are computed from what is trained: deployed, each is one plain convolution."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import nullcontext
from typing import TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.layers.full_precision import autocast_runs
from space.layers.protocols import Foldable, StartsItself
from space.layers.weight_and_bias import convolution_of, weight_and_bias

START = 0.25
"""Of an ``IdentityConv``'s weights at first, over those drawn. After 96 layers with ReLU between, values of 8, 16 or 64
channels reach 3 to 7, with 0.5 20 to 60, with the weights as drawn 26,000 to 350,000; after 96 residual blocks 20 to
25. Trunks that are run four times grow faster. What is learnt in 400 steps is a tie of all three."""


Weights: TypeAlias = "tuple[Tensor, Tensor | None]"
"""Of one convolution: the weight `(out, in, k, k)`, k odd, and the bias `(out,)`, if there is one."""


def convolved(x: Tensor, weights: Callable[[], Weights]) -> Tensor:
    """``x`` by the convolution of ``weights()``, of the same size; autocast rounds those weights, not their parts."""
    with torch.autocast(x.device.type, enabled=False) if autocast_runs(x) else nullcontext():
        weight, bias = weights()
    return F.conv2d(x, weight, bias, padding=weight.shape[-1] // 2)


class ComputedConv(nn.Module, Foldable):
    """`(N, in, H, W)` to `(N, out, H, W)` by a convolution of ``weights()``; ``fold`` leaves it alone, as ``plain``."""

    def __init__(self) -> None:
        super().__init__()
        self.plain: nn.Conv2d | None = None

    @abstractmethod
    def weights(self) -> Weights:
        """Those of the one convolution, computed of the parameters."""

    def forward(self, x: Tensor) -> Tensor:
        return convolved(x, self.weights) if self.plain is None else self.plain(x)

    @torch.no_grad()
    def fold(self) -> None:
        """Become the plain convolution, which computes the same."""
        if self.plain is not None:
            return
        plain = convolution_of(*self.weights())
        own = (self.named_children(), self.named_buffers(recurse=False), self.named_parameters(recurse=False))
        for name in [name for named in own for name, _ in named]:
            delattr(self, name)
        self.plain = plain


class IdentityConv(ComputedConv, StartsItself):
    """Channels of the input plus ``scale`` times a convolution of all of it, with both in one weight.

    `(N, in, H, W)` to `(N, out, H, W)`: the i-th output has the input's channel ``first`` + i added. It is the identity
    branch of RepVGG (Ding et al., CVPR 2021, arXiv 2101.03697) without batch norm.

    Args:
        kernel: pixels per side, odd.
    """

    identity: Tensor

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 3, scale: float = 1, first: int = 0) -> None:
        super().__init__()
        self.scale = scale
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)
        identity = torch.zeros_like(self.conv.weight, requires_grad=False)
        if not identity.is_meta:  # where only shapes count
            channels = torch.arange(out_channels)
            identity[channels, first + channels, kernel // 2, kernel // 2] = 1
        self.register_buffer("identity", identity, persistent=False)

    @torch.no_grad()
    def reset(self) -> None:
        for parameter in self.conv.parameters():
            parameter.mul_(START)

    def weights(self) -> tuple[Tensor, Tensor]:
        weight, bias = weight_and_bias(self.conv)
        if self.scale != 1:
            weight, bias = self.scale * weight, self.scale * bias
        return weight + self.identity, bias


class SideBySide(ComputedConv):
    """What convolutions of one input give, one after the other along the channels, by one convolution."""

    def __init__(self, *convs: nn.Module) -> None:
        super().__init__()
        self.convs = nn.ModuleList(convs)

    def weights(self) -> tuple[Tensor, Tensor]:
        each = [conv.weights() if isinstance(conv, ComputedConv) else weight_and_bias(conv) for conv in self.convs]
        biases = [bias for _, bias in each if bias is not None]
        assert len(biases) == len(each)
        return torch.cat([weight for weight, _ in each]), torch.cat(biases)
