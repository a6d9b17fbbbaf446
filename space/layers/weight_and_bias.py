"""The weight and bias of a convolution, typed, and a convolution of given ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def weight_and_bias(layer: nn.Module) -> tuple[Tensor, Tensor]:
    """The parameters of ``layer``, a convolution with a bias; torch types the items of a container as plain modules."""
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    assert layer.bias is not None
    return layer.weight, layer.bias


def convolution_of(weight: Tensor, bias: Tensor | None = None) -> nn.Conv2d:
    """The convolution with copies of ``weight``, `(out, in, k, k)` for an odd k, and ``bias``; it keeps the size.

    The copy is contiguous: a product that einsum gives may not be, and from such weights LiteRT writes wrong ones.
    """
    out_channels, in_channels, kernel, _ = weight.shape
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2, bias=bias is not None, device="meta")
    conv.weight = nn.Parameter(weight.clone(memory_format=torch.contiguous_format))
    if bias is not None:
        conv.bias = nn.Parameter(bias.clone())
    return conv
