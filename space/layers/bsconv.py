"""Blueprint separable convolution (Haase and Amthor, CVPR 2020, arXiv 2003.13549): pointwise first, then depthwise."""

from __future__ import annotations

from torch import Tensor, nn


class BsConv(nn.Module):
    """BSConv-U: a 1x1 convolution over channels, then a depthwise one with bias. `(N, in, H, W)` to `(N, out, H, W)`.

    Args:
        stride: of the depthwise convolution.
        padding: half the kernel if None.
        bias: of the 1x1 convolution; zero padding keeps the depthwise one from taking it up.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        padding: int | None = None,
        bias: bool = False,
    ) -> None:
        super().__init__()
        self.pointwise = nn.Conv2d(in_channels, out_channels, 1, bias=bias)
        self.depthwise = nn.Conv2d(
            out_channels,
            out_channels,
            kernel_size,
            stride,
            padding=kernel_size // 2 if padding is None else padding,
            groups=out_channels,
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.depthwise(self.pointwise(x))
