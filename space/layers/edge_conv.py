"""The edge-oriented convolution of ECBSR (Zhang et al., ACM MM 2021), trained with branches, deployed as a plain 3x3.

Branches are those of `xindongzhang/ECBSR` (`models/ecb.py`), without the identity branch, which the repository leaves
off by default.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.layers.computed_conv import convolved
from space.layers.protocols import Composed, Foldable, TakesFactor
from space.layers.weight_and_bias import weight_and_bias

EXPANSION = 2  # channels inside the 1x1-3x3 branch, over its output's
EDGE_SCALE = 1e-3  # a fresh edge branch's factor: the standard deviation from which the authors draw it
EDGES = {
    "horizontal": ((1, 0, -1), (2, 0, -2), (1, 0, -1)),
    "vertical": ((1, 2, 1), (0, 0, 0), (-1, -2, -1)),
    "laplacian": ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
}


class _ExpandedBranch(nn.Module):
    """1x1 to twice the output's channels, then 3x3 without padding."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(in_channels, EXPANSION * out_channels, 1)
        self.conv = nn.Conv2d(EXPANSION * out_channels, out_channels, 3)

    def forward(self, padded: Tensor) -> Tensor:
        return self.conv(self.mix(padded))

    def second(self) -> tuple[Tensor, Tensor]:
        """Weight `(out, mid, 3, 3)` and bias of the second convolution."""
        return weight_and_bias(self.conv)

    def last(self) -> tuple[Tensor, Tensor]:
        """What a factor on the result goes to."""
        return self.second()


class _EdgeBranch(nn.Module):
    """1x1, then one fixed edge filter per channel with a learned factor and bias, without padding."""

    edge: Tensor

    def __init__(self, in_channels: int, out_channels: int, edge: str) -> None:
        super().__init__()
        self.mix = nn.Conv2d(in_channels, out_channels, 1)
        self.scale = nn.Parameter(torch.full((out_channels, 1, 1, 1), EDGE_SCALE))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.register_buffer("edge", torch.tensor(EDGES[edge], dtype=torch.float32), persistent=False)

    def forward(self, padded: Tensor) -> Tensor:
        return F.conv2d(self.mix(padded), self.scale * self.edge, self.bias, groups=len(self.bias))

    def second(self) -> tuple[Tensor, Tensor]:
        """As one dense convolution: weight `(out, out, 3, 3)` with the filters on its diagonal, and bias."""
        filters = (self.scale * self.edge).squeeze(1)
        return torch.diag_embed(filters.permute(1, 2, 0)).permute(2, 3, 0, 1), self.bias

    def last(self) -> tuple[Tensor, Tensor]:
        """What a factor on the result goes to."""
        return self.scale, self.bias


class EdgeConv(nn.Module, Foldable, Composed, TakesFactor):
    """A 3x3 convolution and four branches beside it, summed, in training too run as the one 3x3 that they make.

    `(N, in, H, W)` to `(N, out, H, W)`; ``fold`` leaves the 3x3 alone. It is the input of a branch's 1x1
    that is zero-padded: its bias stands in the border too, and the sum is one zero-padded convolution exactly.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.branches = nn.ModuleList(
            [
                _ExpandedBranch(in_channels, out_channels),
                *(_EdgeBranch(in_channels, out_channels, edge) for edge in EDGES),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        return convolved(x, self.weights) if len(self.branches) else self.conv(x)

    def layer_by_layer(self, x: Tensor) -> Tensor:
        y, padded = self.conv(x), F.pad(x, (1, 1, 1, 1))
        for branch in self.branches:
            y = y + branch(padded)
        return y

    def weights(self) -> tuple[Tensor, Tensor]:
        """The weight `(out, in, 3, 3)` and the bias `(out,)` of the sum."""
        whole, shift = weight_and_bias(self.conv)
        for branch in self.branches:
            assert isinstance(branch, _ExpandedBranch | _EdgeBranch)
            (mix, mix_bias), (weight, bias) = weight_and_bias(branch.mix), branch.second()
            whole = whole + torch.einsum("omhw,mi->oihw", weight, mix[:, :, 0, 0])
            shift = shift + bias + torch.einsum("omhw,m->o", weight, mix_bias)
        return whole, shift

    @torch.no_grad()
    def fold(self) -> None:
        """Add every branch to the 3x3 convolution, which then computes the same alone."""
        if not self.conv.weight.is_meta:  # where only shapes count
            for own, summed in zip(weight_and_bias(self.conv), self.weights(), strict=True):
                own.copy_(summed)
        self.branches = nn.ModuleList()

    @torch.no_grad()
    def multiply(self, factor: float) -> None:
        """Multiply what each branch ends with, or the one convolution that is left."""
        for tensor in weight_and_bias(self.conv):
            tensor.mul_(factor)
        for branch in self.branches:
            assert isinstance(branch, _ExpandedBranch | _EdgeBranch)
            for tensor in branch.last():
                tensor.mul_(factor)
