"""Pictures of the size that a file takes, from the pairs by which a task is measured."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from evaluators.images.embedded import validation_photographs
from evaluators.tasks import Pair


def fitted(pair: Pair, size: tuple[int, int] | None, multiple: int) -> Pair:
    """``pair`` at ``size`` (width, height): its middle, or mirrored at its edges where it is smaller.

    Args:
        size: None for the pair's own size, less what ``multiple`` leaves over.
    """
    height, width = pair.degraded.shape[:2]
    if size is None:
        size = (max(multiple, width // multiple * multiple), max(multiple, height // multiple * multiple))
    scale = pair.target.shape[0] // height
    degraded = _cut(pair.degraded, size, (height, width), 1)
    return replace(pair, degraded=degraded, target=_cut(pair.target, size, (height, width), scale))


def _cut(image: np.ndarray, size: tuple[int, int], of: tuple[int, int], scale: int) -> np.ndarray:
    """The middle of ``image``, whose sides are ``scale`` times ``of`` (height, width)."""
    for axis, (side, given) in enumerate(zip(reversed(size), of, strict=True)):
        more = max(0, side - given)
        if more:
            before = more // 2
            amounts = [(0, 0)] * image.ndim
            amounts[axis] = (before * scale, (more - before) * scale)
            image = np.pad(image, amounts, mode="symmetric")
        start = max(0, given - side) // 2 * scale
        image = image.take(range(start, start + side * scale), axis=axis)
    return image


def network_image(values: np.ndarray) -> np.ndarray:
    """`(1, C, h, w)`, as a network and an engine take it, of `(h, w, C)`."""
    return np.ascontiguousarray(values.transpose(2, 0, 1)[None], dtype=np.float32)


def plain_photographs(channels: int, size: tuple[int, int] | None, multiple: int) -> tuple[np.ndarray, ...]:
    """Embedded photographs `(1, channels, h, w)` in [0, 1], for a network whose task is not known.

    Their colours are repeated for as many channels as there are; of one channel, their mean.
    """
    images = []
    for photograph in validation_photographs():
        values = photograph.pixels.astype(np.float32) / np.float32(255)
        values = values.mean(2, keepdims=True) if channels == 1 else np.tile(values, math.ceil(channels / 3))
        values = values[..., :channels]
        images.append(network_image(fitted(Pair(photograph.name, values, values), size, multiple).degraded))
    return tuple(images)
