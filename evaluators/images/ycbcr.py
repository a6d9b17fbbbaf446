"""YCbCr of BT.601 in studio range (Y 16..235, Cb and Cr 16..240), and grey as MATLAB makes it."""

from __future__ import annotations

import numpy as np

LUMA = (65.481, 128.553, 24.966)  # of RGB in 0..1, as in ``evaluators.images.metrics.luma``
LUMA_OFFSET = 16.0
_TO_CHROMA = np.array([[-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]])  # BT.601, rows Cb and Cr
_TO_YCBCR = np.array([LUMA, *_TO_CHROMA]) / 255.0
_TO_RGB = np.linalg.inv(_TO_YCBCR)

# Gives exactly the 68 grey pictures of BSD68 from their colour photographs, by ``floor(value + 0.5)``.
_GREY = np.array([0.298936021293775, 0.587043074451121, 0.114020904255103])


def join_luma(luma: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """uint8 RGB `(H, W, 3)` with the Y of ``luma`` `(H, W)`, in 16..235, and the Cb and Cr of ``rgb``, in 0..255."""
    return rgb_of(luma, chroma_of(rgb)).round().clip(0, 255).astype(np.uint8)


def chroma_of(rgb: np.ndarray) -> np.ndarray:
    """Cb and Cr `(H, W, 2)`, about 0, of RGB in 0..255."""
    return rgb.astype(np.float64) @ (_TO_CHROMA / 255.0).T


def rgb_of(luma: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """float64 RGB in 0..255, neither rounded nor clipped, of Y `(H, W)` in 16..235 and what ``chroma_of`` gives."""
    ycbcr = np.concatenate([luma.astype(np.float64)[..., None] - LUMA_OFFSET, chroma], axis=2)
    return ycbcr @ _TO_RGB.T


def grey(rgb: np.ndarray) -> np.ndarray:
    """uint8 `(H, W, 1)` of uint8 RGB `(H, W, 3)`, as MATLAB's ``rgb2gray``."""
    return np.floor(rgb.astype(np.float64) @ _GREY + 0.5).astype(np.uint8)[..., None]
