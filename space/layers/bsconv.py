"""Blueprint separable convolution (Haase and Amthor, CVPR 2020, arXiv 2003.13549), their unconstrained BSConv-U."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from space.layers.protocols import TakesFactor


class BsConv(nn.Module, TakesFactor):
    """A 1x1 convolution, then a depthwise one: a depthwise separable convolution in reverse order.

    `(N, in, H, W)` to `(N, out, H, W)`, or smaller sides if strided or not padded. A dense 3x3 convolution of C
    channels has 9 C^2 weights, this C^2 + 9 C.

    Args:
        kernel_size: odd, of the depthwise convolution.
        stride: of the depthwise convolution.
        padding: of the depthwise convolution; half the kernel if None.
        bias: of the depthwise convolution.
        pointwise_bias: of the 1x1 convolution, which the zero-padded border keeps from folding into the other; that of
            ``bias`` if None.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        padding: int | None = None,
        bias: bool = True,
        pointwise_bias: bool | None = None,
    ) -> None:
        super().__init__()
        self.pointwise = nn.Conv2d(
            in_channels, out_channels, 1, bias=bias if pointwise_bias is None else pointwise_bias
        )
        self.depthwise = nn.Conv2d(
            out_channels,
            out_channels,
            kernel_size,
            stride,
            padding=kernel_size // 2 if padding is None else padding,
            groups=out_channels,
            bias=bias,
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.depthwise(self.pointwise(x))

    @torch.no_grad()
    def multiply(self, factor: float) -> None:
        for parameter in self.depthwise.parameters():
            parameter.mul_(factor)
