"""Resampling between the levels of a trunk, down and up by a factor of 2.

Lahiri et al. (arXiv 2007.05835) replace strided and transposed convolutions by bilinear resizing and LIST. ReLU after
each convolution, and kernels of 3x3 and 4x4, as in GLCIC (`otenim/GLCIC-PyTorch`).
"""

from __future__ import annotations

from torch import nn

from space.layers.lightweight import ResampledList


def halving(kind: str, in_channels: int, out_channels: int) -> nn.Module:
    """`(N, in, H, W)` to `(N, out, H/2, W/2)`, for even sides.

    Args:
        kind: ``pool+bilinear`` (max pooling, which needs as many channels out as in), ``strided+transposed`` or
            ``bilinear-list``.
    """
    if kind == "strided+transposed":
        return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1), nn.ReLU())
    if kind == "bilinear-list":
        return nn.Sequential(ResampledList(in_channels, out_channels, 0.5), nn.ReLU())
    return nn.MaxPool2d(2)


def doubling(kind: str, channels: int) -> nn.Module:
    """`(N, channels, H, W)` to `(N, channels, 2*H, 2*W)`; ``kind`` as in ``halving``, any other means bilinear."""
    if kind == "strided+transposed":
        return nn.Sequential(nn.ConvTranspose2d(channels, channels, 4, stride=2, padding=1), nn.ReLU())
    if kind == "bilinear-list":
        return nn.Sequential(ResampledList(channels, channels, 2), nn.ReLU())
    return nn.Upsample(scale_factor=2, mode="bilinear")
