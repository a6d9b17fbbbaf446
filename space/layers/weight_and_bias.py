"""The weight and bias of a convolution, typed."""

from __future__ import annotations

from torch import Tensor, nn


def weight_and_bias(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """The parameters of ``layer``, a convolution with a bias; torch types the items of a container as plain modules."""
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    assert layer.bias is not None
    return layer.weight, layer.bias
