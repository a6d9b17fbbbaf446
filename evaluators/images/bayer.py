"""A sensor's RGGB mosaic, and its packed form: four channels R, G (beside R), G (beside B), B at half the size."""

from __future__ import annotations

import numpy as np


def pack(sensor: np.ndarray) -> np.ndarray:
    """`(2 h, 2 w)` RGGB to `(h, w, 4)`."""
    return np.stack([sensor[0::2, 0::2], sensor[0::2, 1::2], sensor[1::2, 0::2], sensor[1::2, 1::2]], axis=2)


def unpack(packed: np.ndarray) -> np.ndarray:
    """The inverse of ``pack``."""
    height, width, _ = packed.shape
    return packed.reshape(height, width, 2, 2).transpose(0, 2, 1, 3).reshape(2 * height, 2 * width)
