"""Conv3XC, the re-parameterised 3x3 convolution of SPAN (Wan et al., arXiv 2311.12770) and the networks after it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.layers.computed_conv import ComputedConv, Weights
from space.layers.protocols import Composed, TakesFactor
from space.layers.weight_and_bias import weight_and_bias

GAIN = 2  # channels of both ends of the inner 3x3 convolution, over those of the layer


class Conv3XC(ComputedConv, Composed, TakesFactor):
    """1x1, 3x3 and 1x1 convolutions in a row plus a 1x1 skip, in training too run as the one 3x3 that they make.

    `(N, in, H, W)` to `(N, out, H, W)`. Nothing is activated between the three. It is the input that is zero-padded:
    the bias of the first 1x1 then stands in the border too, and the plain convolution is the same exactly.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True, gain: int = GAIN) -> None:
        super().__init__()
        self.expand = nn.Conv2d(in_channels, gain * in_channels, 1, bias=bias)
        self.conv = nn.Conv2d(gain * in_channels, gain * out_channels, 3, bias=bias)
        self.project = nn.Conv2d(gain * out_channels, out_channels, 1, bias=bias)
        self.skip = nn.Conv2d(in_channels, out_channels, 1, bias=bias)

    def layer_by_layer(self, x: Tensor) -> Tensor:
        if self.plain is not None:
            return self.plain(x)
        return self.project(self.conv(self.expand(F.pad(x, (1, 1, 1, 1))))) + self.skip(x)

    def weights(self) -> Weights:
        expand, project = self.expand.weight[:, :, 0, 0], self.project.weight[:, :, 0, 0]
        mixed = torch.einsum("om,mnhw->onhw", project, self.conv.weight)  # (out, gain * in, 3, 3)
        weight = torch.einsum("onhw,ni->oihw", mixed, expand) + F.pad(self.skip.weight, (1, 1, 1, 1))
        if self.skip.bias is None:
            return weight, None
        parts = (self.expand, self.conv, self.project, self.skip)
        first, second, third, skipped = (weight_and_bias(layer)[1] for layer in parts)
        return weight, mixed.sum((2, 3)) @ first + project @ second + third + skipped

    @torch.no_grad()
    def multiply(self, factor: float) -> None:
        """Multiply what both of its paths end with, or the plain convolution."""
        for layer in (self.project, self.skip) if self.plain is None else (self.plain,):
            for parameter in layer.parameters():
                parameter.mul_(factor)
