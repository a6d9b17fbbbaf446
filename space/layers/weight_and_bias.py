"""What a part changes in a convolution when it is folded or started, in the types that it has."""

from __future__ import annotations

from torch import Tensor, nn


def weight_and_bias(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """The parameters of a convolution that has a bias; torch types what a list of modules holds as any module."""
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    assert layer.bias is not None
    return layer.weight, layer.bias
