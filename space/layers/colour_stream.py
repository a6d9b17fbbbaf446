"""A narrow stream of colours beside a stream of features (ETDS, Chao et al., CVPR 2023).

Both stand in one tensor, `(N, colours + features, H, W)`, the colours first. Features are computed from both, colours
from colours alone, so that what carries the input to the output is kept apart from what is learned about it. The
colours start as the input, and the last convolution as its enlargement by nearest pixels: the network starts as its
input without an addition at full size. A layer is one convolution, in training and deployed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from space.layers.computed_conv import ComputedConv, IdentityConv, SideBySide
from space.layers.protocols import StartsItself
from space.layers.weight_and_bias import weight_and_bias


class ColourConv(ComputedConv, StartsItself):
    """The next colours, from the first channels alone: `(N, in, H, W)` to `(N, colours, H, W)`.

    Weights for channels from ``seen`` on are held at zero. It starts as the identity.
    """

    mask: Tensor

    def __init__(self, in_channels: int, colours: int, seen: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, colours, kernel, padding=kernel // 2)
        mask = (torch.arange(in_channels, device=self.conv.weight.device) < seen).float()
        self.register_buffer("mask", mask.view(1, -1, 1, 1), persistent=False)

    @torch.no_grad()
    def reset(self) -> None:
        weight, bias = weight_and_bias(self.conv)
        if weight.is_meta:  # where only shapes count
            return
        nn.init.dirac_(weight)
        bias.zero_()

    def weights(self) -> tuple[Tensor, Tensor]:
        weight, bias = weight_and_bias(self.conv)
        return weight * self.mask, bias


class Beside(nn.Module):
    """The feature stream through ``part``, which changes as many channels, and the colours past it.

    `(N, colours + features, H, W)` to the same shape. The part reads a 1x1 convolution of both, which has the features
    added unless ``mixes``.
    """

    def __init__(self, colours: int, features: int, part: nn.Module, mixes: bool = False) -> None:
        super().__init__()
        self.colour = ColourConv(colours + features, colours, seen=colours, kernel=1)
        channels = colours + features
        self.join: nn.Module = (
            nn.Conv2d(channels, features, 1) if mixes else IdentityConv(channels, features, kernel=1, first=colours)
        )
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.colour(x), self.part(self.join(x))), 1)


class _EnlargedColours(ComputedConv, StartsItself):
    """The last convolution: it starts as the colours, ``scale**2`` times each, and nothing of the features.

    `(N, colours + features, H, W)` to `(N, colours*scale**2, H, W)`. Its weights for both are two tensors, as in ETDS:
    optimizers may take those of an image's channels for what they are.
    """

    def __init__(self, colours: int, features: int, scale: int) -> None:
        super().__init__()
        self.times = scale**2
        self.colour = nn.Conv2d(colours, colours * self.times, 3, padding=1)
        self.feature = nn.Conv2d(features, colours * self.times, 3, padding=1, bias=False)

    @torch.no_grad()
    def reset(self) -> None:
        weight = self.colour.weight
        if weight.is_meta:  # where only shapes count
            return
        for parameter in self.parameters():
            parameter.zero_()
        outputs = torch.arange(
            min(len(weight), weight.shape[1] * self.times)
        )  # a pruned network may have fewer colours
        weight[outputs, outputs // self.times, 1, 1] = 1

    def weights(self) -> tuple[Tensor, Tensor]:
        weight, bias = weight_and_bias(self.colour)
        return torch.cat((weight, self.feature.weight), 1), bias


class StreamUpsampler(nn.Module):
    """`(N, colours + features, H, W)` to `(N, colours, scale*H, scale*W)`: one conv3x3 and a pixel shuffle, at first
    the nearest enlargement of the colours."""

    def __init__(self, colours: int, features: int, scale: int) -> None:
        super().__init__()
        self.last = _EnlargedColours(colours, features, scale)
        self.shuffle = nn.PixelShuffle(scale) if scale > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.shuffle(self.last(x))


def stream_stem(in_channels: int, colours: int, features: int) -> nn.Module:
    """The image `(N, in, H, W)` to both streams `(N, colours + features, H, W)`: one conv3x3."""
    colour = ColourConv(in_channels, colours, seen=in_channels)
    return SideBySide(colour, nn.Conv2d(in_channels, features, 3, padding=1))


def stream_layer(colours: int, features: int, activated: bool) -> nn.Module:
    """ReLU and conv3x3 of both streams, `(N, colours + features, H, W)` to the same shape.

    Features are kept, plus a convolution of both streams.
    """
    channels = colours + features
    feature = IdentityConv(channels, features, first=colours)
    both = SideBySide(ColourConv(channels, colours, seen=colours), feature)
    return nn.Sequential(nn.ReLU(), both) if activated else both


def beside(colours: int, features: int, factory: Callable[..., nn.Module], *args: Any) -> nn.Module:
    """The part ``factory(*args)`` of the feature stream, with the colours past it."""
    return Beside(colours, features, factory(*args))


def beside_mixed(colours: int, features: int, factory: Callable[..., nn.Module], *args: Any) -> nn.Module:
    """As ``beside``, after a plain 1x1 convolution, which leaves smaller values: LIA takes their exponential."""
    return Beside(colours, features, factory(*args), mixes=True)
