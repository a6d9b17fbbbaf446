"""Residual blocks: as released with s-LWSR (EDSR form), as written in its equation 1, inverted (MobileNetV2), and GSAT.

Every block maps `(N, width, H, W)` to the same shape. ``scale`` multiplies the residual branch; ``fold`` moves it
into the last convolution's weights, so that a deployed block has no multiplication left.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from space.architecture import BlockSpec
from space.blocks.foldable import Foldable
from space.blocks.lightweight import Gsat, List
from space.errors import UserError


class _Residual(nn.Module, Foldable):
    """Input plus a scaled branch, whose last convolution can take the scale up."""

    body: nn.Sequential

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        branch = self.body(x)
        return x + (branch if self.scale == 1 else self.scale * branch)

    @torch.no_grad()
    def fold(self) -> None:
        """Move the scale into the last convolution; the block computes the same as before."""
        last = self.body[-1]
        if isinstance(last, List):
            last.multiply(self.scale)
        else:
            last.weight.mul_(self.scale)
            last.bias.mul_(self.scale)
        self.scale = 1


def conv3x3(spec: BlockSpec, in_channels: int, out_channels: int) -> nn.Module:
    """The 3x3 convolution that ``spec`` asks for."""
    return (
        List(in_channels, out_channels) if spec.conv == "list" else nn.Conv2d(in_channels, out_channels, 3, padding=1)
    )


class ResidualBlock(_Residual):
    """conv3x3, ReLU, conv3x3, plus input: the block of the released s-LWSR code (`common.py`, ResBlock)."""

    def __init__(self, spec: BlockSpec, scale: float = 1) -> None:
        super().__init__(scale)
        self.body = nn.Sequential(
            conv3x3(spec, spec.width, spec.hidden),
            *([nn.ReLU(inplace=True)] if spec.activated else []),
            conv3x3(spec, spec.hidden, spec.width),
        )


class PreactivatedBlock(_Residual):
    """a = ReLU(x); a + alpha * conv3x3(conv3x3(a)): s-LWSR equation 1, which the released code does not follow."""

    def __init__(self, spec: BlockSpec, scale: float = 1) -> None:
        super().__init__(scale)
        self.activation = nn.ReLU() if spec.activated else nn.Identity()
        self.body = nn.Sequential(conv3x3(spec, spec.width, spec.hidden), conv3x3(spec, spec.hidden, spec.width))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(self.activation(x))


class InvertedResidual(_Residual):
    """1x1 to ``hidden`` channels, depthwise 3x3, 1x1 back, plus input (Sandler et al. 2018); bias, no norm."""

    def __init__(self, spec: BlockSpec, scale: float = 1) -> None:
        super().__init__(scale)
        activation = [nn.ReLU(inplace=True)] if spec.activated else []
        self.body = nn.Sequential(
            nn.Conv2d(spec.width, spec.hidden, 1),
            *activation,
            nn.Conv2d(spec.hidden, spec.hidden, 3, padding=1, groups=spec.hidden),
            *activation,
            nn.Conv2d(spec.hidden, spec.width, 1),
        )


def gsat(spec: BlockSpec, scale: float = 1) -> nn.Module:
    """A GSAT without batch norm; what is added to the input is scaled, and its 1x1 convolution has a bias."""
    return Gsat(spec.width, spec.dilation, norm=False, bias=True, activated=spec.activated, scale=scale)


BLOCKS: dict[str, Callable[[BlockSpec, float], nn.Module]] = {
    "residual": ResidualBlock,
    "preactivated": PreactivatedBlock,
    "inverted": InvertedResidual,
    "gsat": gsat,
}


def block(spec: BlockSpec, scale: float = 1) -> nn.Module:
    """The block that ``spec`` describes.

    Raises:
        UserError: its kind is none of ``BLOCKS``.
    """
    if spec.kind not in BLOCKS:
        raise UserError(f"unknown block kind {spec.kind!r}; known: {', '.join(BLOCKS)}")
    return BLOCKS[spec.kind](spec, scale)
