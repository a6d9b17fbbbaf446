"""Batch norm moved into the convolution before it, as every phone engine does."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def fold_batch_norm(conv: nn.Conv2d | nn.ConvTranspose2d, norm: nn.BatchNorm2d) -> nn.Conv2d | nn.ConvTranspose2d:
    """``conv`` changed in place so that it computes ``norm(conv(x))`` in eval mode; it has a bias afterwards."""
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    channels = (1, -1, 1, 1) if isinstance(conv, nn.ConvTranspose2d) else (-1, 1, 1, 1)
    if isinstance(conv, nn.ConvTranspose2d) and conv.groups > 1:
        raise ValueError(f"a transposed convolution must have one group to be folded, got {conv.groups}")
    bias = torch.zeros_like(scale) if conv.bias is None else conv.bias
    conv.weight.mul_(scale.view(channels))
    conv.bias = nn.Parameter((bias - norm.running_mean) * scale + norm.bias, requires_grad=conv.weight.requires_grad)
    return conv
