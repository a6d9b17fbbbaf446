"""Bicubic resize of 8-bit images, byte for byte what MATLAB's ``imresize(image, factor, 'bicubic')`` gives.

Super-resolution papers make their low-resolution inputs, and their bicubic baseline, with that function. No Python
imaging library gives the same bytes: Pillow rounds differently and leaves other edges.

The rules, as found by comparing with the published low-resolution files of Set5, Set14, B100, Urban100 and DIV2K:

- the image is cropped at the right and bottom to a multiple of the scale before it is reduced;
- cubic kernel with a = -0.5 (Keys 1981), stretched by the scale when reducing, weights normalised to sum 1;
- rows first, then columns, rounded half up and clipped to 0..255 after **each** of the two passes;
- beyond the edge the border pixel repeats (``"replicate"``: Set5, Set14, B100, Urban100) or the image is mirrored
  with the border pixel twice (``"mirror"``: DIV2K).

A resize of one axis is a product with a banded matrix. It is done band by band with small dense products, which is
several times faster than gathering tap by tap.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import numpy as np

from space.errors import UserError

Edge = Literal["replicate", "mirror"]

_BAND_PX = 16  # source pixels per product, without the overlap; 4 and 64 are both slower
_CACHED_AXES = 32  # matrices of this many axes are kept: about 1 MB for 256 to 1024 px in colour, 6 MB for 2040

# At these scales every weight is a multiple of 1/4096, so float32 holds each partial sum exactly and the order
# of summation cannot matter. Other scales need float64, where a tie may come out a hair under the half.
_EXACT_IN_FLOAT32 = (1, 2, 4)
_HALF = 0.5 + 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class _Band:
    """``weights`` takes the pixels ``inputs`` of one axis to the pixels ``outputs``; shape (outputs, inputs)."""

    outputs: slice
    inputs: slice
    weights: np.ndarray


def modcrop(image: np.ndarray, scale: int) -> np.ndarray:
    """Crop ``(H, W)`` or ``(H, W, C)`` at the bottom and right to multiples of ``scale``; a view, not a copy.

    Raises:
        UserError: a side is shorter than ``scale``.
    """
    height, width = (side - side % scale for side in image.shape[:2])
    if height == 0 or width == 0:
        raise UserError(
            f"image must be at least {scale} px on each side for scale {scale}, "
            f"got {image.shape[1]}x{image.shape[0]}; use a larger image"
        )
    return image[:height, :width]


def downscale(image: np.ndarray, scale: int, edge: Edge = "replicate") -> np.ndarray:
    """Reduce a uint8 image ``(H, W)`` or ``(H, W, C)`` by an integer to ``(H // scale, W // scale[, C])``.

    The image is first cropped with `modcrop`. Verified against the published files at scales 2 and 4.

    Raises:
        UserError: a side is shorter than ``scale``, or ``edge`` or ``scale`` is not a known one.
    """
    _check(image, scale, edge)
    image = modcrop(image, scale)
    height, width = image.shape[:2]
    return _resize(image, height // scale, width // scale, edge, exact=scale in _EXACT_IN_FLOAT32)


def upscale(image: np.ndarray, scale: int, edge: Edge = "replicate") -> np.ndarray:
    """Enlarge a uint8 image ``(H, W)`` or ``(H, W, C)`` by an integer to ``(H * scale, W * scale[, C])``.

    This is the bicubic baseline of the published tables.

    Raises:
        UserError: ``edge`` or ``scale`` is not a known one.
    """
    _check(image, scale, edge)
    height, width = image.shape[:2]
    return _resize(image, height * scale, width * scale, edge, exact=scale in _EXACT_IN_FLOAT32)


def bicubic_pair(image: np.ndarray, scale: int, edge: Edge = "replicate") -> tuple[np.ndarray, np.ndarray]:
    """A uint8 image's reduction by ``scale``, and the image itself as far as `modcrop` leaves it; errors as above."""
    target = modcrop(image, scale)
    return downscale(target, scale, edge), target


def _check(image: np.ndarray, scale: int, edge: str) -> None:
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or image.size == 0:
        raise ValueError(f"image must be uint8 (H, W) or (H, W, C) and not empty, got {image.dtype} {image.shape}")
    if scale < 1 or scale != int(scale):
        raise UserError(f"scale must be a whole number of at least 1, got {scale}; 2 and 4 are usual")
    if edge not in get_args(Edge):
        raise UserError(f"edge must be one of {', '.join(get_args(Edge))}, got {edge!r}; papers use replicate")


def _resize(image: np.ndarray, height: int, width: int, edge: Edge, exact: bool) -> np.ndarray:
    channels = 1 if image.ndim == 2 else image.shape[2]
    dtype = np.float32 if exact else np.float64

    flat = image.reshape(image.shape[0], -1).astype(dtype)
    rows = np.empty((height, flat.shape[1]), dtype)
    for band in _bands(image.shape[0], height, edge, 1, dtype):
        rows[band.outputs] = np.floor(_clipped(band.weights @ flat[band.inputs]))

    both = np.empty((height, width * channels), np.uint8)
    for band in _bands(image.shape[1], width, edge, channels, dtype):
        both[:, band.outputs] = _clipped(rows[:, band.inputs] @ band.weights.T)  # the cast to uint8 is the floor
    return both.reshape(height, width, *image.shape[2:])


def _clipped(values: np.ndarray) -> np.ndarray:
    """Clip to 0..255 and add a half, in place: the whole part of the result is the pixel, rounded half up."""
    np.clip(values, 0.0, 255.0, out=values)
    values += _HALF
    return values


@lru_cache(maxsize=_CACHED_AXES)
def _bands(n_in: int, n_out: int, edge: Edge, channels: int, dtype: type) -> tuple[_Band, ...]:
    """The banded matrix of one axis whose pixels hold ``channels`` interleaved values."""
    weights, index = _taps(n_in, n_out, edge)
    step = max(1, _BAND_PX * n_out // n_in)
    bands = []
    for start in range(0, n_out, step):
        stop = min(start + step, n_out)
        low, high = int(index[start:stop].min()), int(index[start:stop].max()) + 1
        matrix = np.zeros((stop - start, high - low))
        np.add.at(matrix, (np.arange(stop - start)[:, None], index[start:stop] - low), weights[start:stop])
        matrix = np.kron(matrix, np.eye(channels)).astype(dtype)
        outputs = slice(start * channels, stop * channels)
        bands.append(_Band(outputs, slice(low * channels, high * channels), matrix))
    return tuple(bands)


def _taps(n_in: int, n_out: int, edge: Edge) -> tuple[np.ndarray, np.ndarray]:
    """Weights and source indices of each output pixel, both ``(n_out, taps)``; each row of weights sums to 1."""
    ratio = n_in / n_out
    stretch = max(ratio, 1.0)  # antialiasing: only when reducing
    centre = (np.arange(n_out) + 0.5) * ratio - 0.5
    first = np.floor(centre - 2.0 * stretch).astype(np.int64)
    index = first[:, None] + np.arange(int(np.ceil(4.0 * stretch)) + 2)
    weights = _cubic((centre[:, None] - index) / stretch)
    weights /= weights.sum(axis=1, keepdims=True)
    if edge == "replicate":
        return weights, index.clip(0, n_in - 1)
    index = index % (2 * n_in)  # the mirrored image repeats every two lengths
    return weights, np.minimum(index, 2 * n_in - 1 - index)


def _cubic(distance: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel with a = -0.5."""
    x = np.abs(distance)
    inner = (1.5 * x - 2.5) * x * x + 1.0
    outer = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x <= 1.0, inner, np.where(x <= 2.0, outer, 0.0))
