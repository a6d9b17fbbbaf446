"""Windows that cover an image, overlapping where its sides are no multiples of theirs.

They are those of test-time local converter (TLC; Chu et al., ECCV 2022, arXiv 2112.04491), which computes at inference
what a network saw of training patches: a statistic of a patch's size, not of a whole image. The code is unrolled over
the windows, so that an exported network has them for one size.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor


def window_starts(length: int, window: int) -> list[int]:
    """Where windows of ``window`` pixels begin on a side of ``length``: as few as cover it, evenly apart.

    >>> window_starts(320, 72)
    [0, 62, 124, 186, 248]
    """
    if length <= window:
        return [0]
    last = length - window
    gaps = (length - 1) // window
    return [*range(0, last, -(-last // gaps)), last]


def split_into_windows(image: Tensor, window: int) -> Tensor:
    """`(N, C, H, W)` to the windows `(windows * N, C, h, w)`; a side shorter than ``window`` stays as it is."""
    for axis in (2, 3):
        length = image.shape[axis]
        starts = window_starts(length, window)
        if len(starts) > 1:
            image = torch.cat([image.narrow(axis, start, window) for start in starts])
    return image


def joined_windows(windows: Tensor, size: tuple[int, int], window: int) -> Tensor:
    """The inverse of ``split_into_windows`` for an image of ``size`` (height, width); the mean where they overlap."""
    for axis in (3, 2):
        length = size[axis - 2]
        starts = window_starts(length, window)
        if len(starts) > 1:
            windows = _joined(windows.chunk(len(starts)), starts, window, axis)
    return windows


def _joined(parts: tuple[Tensor, ...], starts: list[int], window: int, axis: int) -> Tensor:
    """One image out of ``parts`` along ``axis``: strips between two edges of windows, each with its own cover."""
    strips = []
    for begin, end in pairwise(sorted({*starts, *(start + window for start in starts)})):
        cover = [
            part.narrow(axis, begin - start, end - begin)
            for part, start in zip(parts, starts, strict=True)
            if start <= begin and end <= start + window
        ]
        strip = cover[0]
        for other in cover[1:]:
            strip = strip + other
        strips.append(strip if len(cover) == 1 else strip * (1 / len(cover)))
    return torch.cat(strips, axis)
