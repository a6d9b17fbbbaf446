"""PSNR and SSIM as the super-resolution tables compute them.

Both are taken on the Y channel of BT.601 YCbCr in studio range (16..235, not rounded), after as many pixels as the
scale are shaved from every edge. A grey image is used as it is, without the 16..235 scaling: this is what makes
Set14, which has one, agree with the published tables.

Images are arrays in 0..255, ``(H, W, 3)`` RGB or ``(H, W)`` grey, uint8 or float. A network's output is rounded to
8 bits by the caller, as the papers do, before it comes here.
"""

import numpy as np

_WINDOW_PX = 11  # Wang et al. 2004, section III-B: 11x11 circular-symmetric Gaussian, sigma 1.5
_SIGMA_PX = 1.5
_K1, _K2 = 0.01, 0.03  # same section
_BAND_PX = 16  # outputs per product in the Gaussian window; 32 and 64 are slower


def luma(rgb: np.ndarray) -> np.ndarray:
    """Y of BT.601 in 16..235, float64 and not rounded, from ``(..., 3)`` RGB in 0..255 to ``(...)``."""
    if rgb.ndim < 1 or rgb.shape[-1] != 3:
        raise ValueError(f"rgb must have 3 channels last, got shape {rgb.shape}")
    return 16.0 + rgb.astype(np.float64) @ (np.array([65.481, 128.553, 24.966]) / 255.0)


def psnr(a: np.ndarray, b: np.ndarray, peak: float = 255.0) -> float:
    """Peak signal-to-noise ratio in dB over all values of two arrays of one shape.

    Infinite when they are equal; NaN when either holds a NaN.
    """
    _check_same_shape(a, b)
    difference = a.astype(np.float64) - b.astype(np.float64)
    mean_square = float(np.mean(np.square(difference)))
    if mean_square == 0.0:
        return float("inf")
    return float(10.0 * np.log10(peak * peak / mean_square))


def psnr_y(output: np.ndarray, target: np.ndarray, shave: int) -> float:
    """PSNR in dB on Y, peak 255, after cutting ``shave`` pixels from each edge."""
    _check_same_shape(output, target)
    return psnr(_shaved_y(output, shave), _shaved_y(target, shave))


def ssim_y(output: np.ndarray, target: np.ndarray, shave: int) -> float:
    """Mean SSIM (Wang et al. 2004) on Y, after cutting ``shave`` pixels from each edge.

    The 11x11 Gaussian window stays inside the image ("valid" region) and the data range is 255.
    """
    _check_same_shape(output, target)
    return _ssim(_shaved_y(output, shave), _shaved_y(target, shave))


def ssim_of_planes(output: np.ndarray, target: np.ndarray) -> float:
    """Mean over the channels of each plane's SSIM; ``(H, W, C)`` in 0..255, window and range as in `ssim_y`."""
    _check_same_shape(output, target)
    planes = range(output.shape[2])
    return float(np.mean([_ssim(output[..., c].astype(float), target[..., c].astype(float)) for c in planes]))


def _ssim(a: np.ndarray, b: np.ndarray) -> float:
    """SSIM of two float64 maps ``(H, W)`` in 0..255."""
    if min(a.shape) < _WINDOW_PX:
        raise ValueError(f"SSIM needs at least {_WINDOW_PX} px a side after shaving, got {a.shape[1]}x{a.shape[0]}")
    mean_a, mean_b, mean_squares, mean_product = _gaussian_valid(np.stack([a, b, a * a + b * b, a * b]))
    c1, c2 = (_K1 * 255.0) ** 2, (_K2 * 255.0) ** 2
    product, squares = mean_a * mean_b, mean_a * mean_a + mean_b * mean_b
    similarity = (2.0 * product + c1) * (2.0 * (mean_product - product) + c2)
    similarity /= (squares + c1) * (mean_squares - squares + c2)
    return float(similarity.mean())


def _check_same_shape(a: np.ndarray, b: np.ndarray) -> None:
    if a.shape != b.shape or a.size == 0:
        raise ValueError(f"two images of one shape are needed, got {a.shape} and {b.shape}")


def _shaved_y(image: np.ndarray, shave: int) -> np.ndarray:
    """``(H - 2 shave, W - 2 shave)`` float64."""
    if image.ndim not in (2, 3):
        raise ValueError(f"image must be (H, W) or (H, W, 3), got shape {image.shape}")
    height, width = image.shape[:2]
    if shave < 0 or 2 * shave >= min(height, width):
        raise ValueError(f"shave must leave something of {width}x{height}, got {shave}")
    cropped = image[shave : height - shave, shave : width - shave]
    return cropped.astype(np.float64) if image.ndim == 2 else luma(cropped)


def _gaussian_valid(maps: np.ndarray) -> np.ndarray:
    """Gaussian means of ``(N, H, W)`` over windows inside the image, ``(N, H - 10, W - 10)``."""
    return _gaussian_rows(_gaussian_rows(maps).swapaxes(1, 2)).swapaxes(1, 2)


def _gaussian_rows(maps: np.ndarray) -> np.ndarray:
    """Along the second axis, ``(N, H, W)`` to ``(N, H - 10, W)``: one banded matrix serves every band."""
    offsets = np.arange(_WINDOW_PX) - _WINDOW_PX // 2
    window = np.exp(-0.5 * (offsets / _SIGMA_PX) ** 2)
    window /= window.sum()
    matrix = np.zeros((_BAND_PX, _BAND_PX + _WINDOW_PX - 1))
    for row in range(_BAND_PX):
        matrix[row, row : row + _WINDOW_PX] = window

    height = maps.shape[1] - _WINDOW_PX + 1
    means = np.empty((maps.shape[0], height, maps.shape[2]))
    for start in range(0, height, _BAND_PX):
        stop = min(start + _BAND_PX, height)
        inputs = maps[:, start : stop + _WINDOW_PX - 1]
        means[:, start:stop] = matrix[: stop - start, : inputs.shape[1]] @ inputs
    return means
