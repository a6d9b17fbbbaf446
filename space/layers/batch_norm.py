"""Batch norm folded into the convolution before it, as every phone engine does."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from space.layers.protocols import Foldable, TakesFactor, TakesNorm


def factor_and_mean(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """The factor of ``norm`` in eval mode and the mean that it subtracts first, each `(C,)`."""
    assert norm.running_mean is not None  # torch lets a norm keep no statistics
    assert norm.running_var is not None
    return norm.weight / torch.sqrt(norm.running_var + norm.eps), norm.running_mean


@torch.no_grad()
def fold_batch_norm(conv: nn.Conv2d | nn.ConvTranspose2d, norm: nn.BatchNorm2d) -> nn.Conv2d | nn.ConvTranspose2d:
    """Change ``conv`` in place to compute ``norm(conv(x))`` in eval mode; it then has a bias.

    Raises:
        ValueError: a transposed convolution in groups.
    """
    scale, mean = factor_and_mean(norm)
    channels = (1, -1, 1, 1) if isinstance(conv, nn.ConvTranspose2d) else (-1, 1, 1, 1)
    if isinstance(conv, nn.ConvTranspose2d) and conv.groups > 1:
        raise ValueError(f"a transposed convolution must have one group to be folded, got {conv.groups}")
    bias = torch.zeros_like(scale) if conv.bias is None else conv.bias
    conv.weight.mul_(scale.view(channels))
    conv.bias = nn.Parameter((bias - mean) * scale + norm.bias, requires_grad=conv.weight.requires_grad)
    return conv


class Normed(nn.Module, Foldable, TakesFactor):
    """``layer`` followed by batch norm over its ``channels`` outputs; ``fold`` moves the norm into the layer.

    Args:
        layer: a convolution, or a ``TakesNorm`` (LIST).
    """

    def __init__(self, layer: nn.Module, channels: int) -> None:
        super().__init__()
        self.layer = layer
        self.norm: nn.BatchNorm2d | None = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer(x)
        return x if self.norm is None else self.norm(x)

    def fold(self) -> None:
        """Move the norm into the layer, which then computes the same in eval mode.

        Raises:
            TypeError: the layer is neither a convolution nor a ``TakesNorm``.
        """
        if self.norm is None:
            return
        if isinstance(self.layer, nn.Conv2d | nn.ConvTranspose2d):
            fold_batch_norm(self.layer, self.norm)
        elif isinstance(self.layer, TakesNorm):
            self.layer.fold_norm(self.norm)
        else:
            raise TypeError(f"a layer before batch norm must take it up, got {type(self.layer).__name__}")
        self.norm = None

    @torch.no_grad()
    def multiply(self, factor: float) -> None:
        """Scale the output through the parameters of the norm, or of the layer once the norm is folded."""
        for parameter in (self.layer if self.norm is None else self.norm).parameters():
            parameter.mul_(factor)
