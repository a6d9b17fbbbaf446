"""SPAB, the swift parameter-free attention block of SPAN (Wan et al., arXiv 2311.12770)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.layers.conv3xc import Conv3XC


class ThreeConvolutions(nn.Module, ABC):
    """The convolutions of a SPAB of either kind: `(N, in, H, W)` to `(N, width, H, W)`.

    Args:
        width: channels of all three convolutions.
        in_channels: of the input; ``width`` if None.
        convolution: from channels in, channels out and ``bias`` to a 3x3 convolution.
        linear: without the activation between them; the attention stays.
    """

    first: nn.Module

    def __init__(
        self,
        width: int,
        in_channels: int | None = None,
        bias: bool = True,
        convolution: Callable[[int, int, bool], nn.Module] = Conv3XC,
        linear: bool = False,
    ) -> None:
        super().__init__()
        in_channels = width if in_channels is None else in_channels
        self.first = convolution(in_channels, width, bias)
        self.second = convolution(width, width, bias)
        self.third = convolution(width, width, bias)
        self.linear = linear
        self.adds = in_channels == width

    @staticmethod
    @abstractmethod
    def activate(x: Tensor) -> Tensor:
        """What stands between the convolutions."""

    def _between(self, x: Tensor) -> Tensor:
        return x if self.linear else self.activate(x)


class Spab(ThreeConvolutions):
    """Three 3x3 convolutions with SiLU between them give d; the result is (x + d) * (sigmoid(d) - 0.5).

    Where the channels change there is nothing to add to, and the result is d. The steps are ``activated``, what the
    first convolution gives, which SPAN also reads, and ``attended``, the rest.
    """

    @staticmethod
    def activate(x: Tensor) -> Tensor:
        return F.silu(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.attended(x, self.activated(x))

    def activated(self, x: Tensor) -> Tensor:
        """`(N, in, H, W)` to the `(N, width, H, W)` activations of the first convolution."""
        return self._between(self.first(x))

    def attended(self, x: Tensor, activated: Tensor) -> Tensor:
        """The block's result for its input ``x`` and what ``activated`` gives for that."""
        d = self.third(self._between(self.second(activated)))
        return (x + d) * (torch.sigmoid(d) - 0.5) if self.adds else d
