"""Pooling to a coarse map, also where a window does not divide the sides."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.layers.protocols import DividesSides, ExportForm


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
        self.spans: list[int] = []
        for axis, side in (("columns", size[0]), ("rows", size[1])):
            count = max(side // window, 1)
            starts = [index * side // count for index in range(count)]
            ends = [-(-(index + 1) * side // count) for index in range(count)]
            span = min(end - start for start, end in zip(starts, ends, strict=True))
            self.register_buffer(f"first_{axis}", torch.tensor(starts), persistent=False)
            self.register_buffer(f"last_{axis}", torch.tensor([end - span for end in ends]), persistent=False)
            self.spans.append(span)

    def forward(self, x: Tensor) -> Tensor:
        across, down = self.spans
        x = F.max_pool2d(x, (1, across), stride=1)
        x = torch.maximum(x.index_select(3, self.first_columns), x.index_select(3, self.last_columns))
        x = F.max_pool2d(x, (down, 1), stride=1)
        return torch.maximum(x.index_select(2, self.first_rows), x.index_select(2, self.last_rows))
