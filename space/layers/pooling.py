"""Pooling to a coarse map, also where a window does not divide the sides, and to one number per channel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.layers.protocols import DividesSides, ExportForm


def window_within(x: Tensor, window: int) -> tuple[int, int]:
    """Height and width of a pooling window on `(N, C, H, W)` features: ``window``, or a side that is smaller."""
    height, width = x.shape[2:]
    return min(window, height), min(window, width)


class ImageVariance(nn.Module):
    """`(N, C, H, W)` to the variance of each channel over the image `(N, C, 1, 1)`."""

    def forward(self, x: Tensor) -> Tensor:
        return x.var((2, 3), keepdim=True)


class CoarseMaxPool(nn.Module, ExportForm, DividesSides):
    """`(N, C, H, W)` to the maxima of `(N, C, H // window, W // window)` windows that cover it, at least one per side.

    Windows are those of torch's adaptive pooling: of ``window`` pixels where it divides a side, else of two sizes that
    differ by one pixel and overlap.
    """

    def __init__(self, window: int) -> None:
        super().__init__()
        self.window = window

    @property
    def multiple(self) -> int:
        return self.window

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        return F.adaptive_max_pool2d(x, (max(height // self.window, 1), max(width // self.window, 1)))

    def export_form(self, size: tuple[int, int] | None) -> nn.Module:
        """A plain pooling, or one of stride 1 of which the windows' maxima are picked: engines have no adaptive one."""
        if size is None or not any(side % self.window for side in size):
            return nn.MaxPool2d(self.window)
        return _PickedMaxPool(self.window, size)


class _PickedMaxPool(nn.Module):
    """``CoarseMaxPool`` of `(N, C, H, W)` for one ``size`` (width, height), a side after the other."""

    def __init__(self, window: int, size: tuple[int, int]) -> None:
        super().__init__()
        width, height = size
        self.across, self.down = _PickedSide(window, width, 3), _PickedSide(window, height, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.across(x))


class _PickedSide(nn.Module):
    """Maxima along ``axis``, 2 or 3, of ``side`` pixels: of equal windows, or picked out of those of all windows."""

    first: Tensor
    last: Tensor

    def __init__(self, window: int, side: int, axis: int) -> None:
        super().__init__()
        count = max(side // window, 1)
        starts = [index * side // count for index in range(count)]
        ends = [-(-(index + 1) * side // count) for index in range(count)]
        span = min(end - start for start, end in zip(starts, ends, strict=True))
        self.axis = axis
        self.equal = side % count == 0
        self.kernel = (1, span) if axis == 3 else (span, 1)
        self.register_buffer("first", torch.tensor(starts), persistent=False)
        self.register_buffer("last", torch.tensor([end - span for end in ends]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if self.equal:
            return F.max_pool2d(x, self.kernel)
        x = F.max_pool2d(x, self.kernel, stride=1)
        return torch.maximum(x.index_select(self.axis, self.first), x.index_select(self.axis, self.last))
