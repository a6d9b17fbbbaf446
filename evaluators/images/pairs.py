"""Low and high resolution pairs for super-resolution."""

import numpy as np

from evaluators.images.resize import Edge, downscale, modcrop


def sr_pair(pixels: np.ndarray, scale: int, edge: Edge = "replicate") -> tuple[np.ndarray, np.ndarray]:
    """Return ``(low, high)``, both uint8: the image cropped to a multiple of ``scale`` and its bicubic reduction.

    ``high`` is ``(H - H % scale, W - W % scale[, C])``, ``low`` that divided by ``scale``.

    Raises:
        UserError: a side is shorter than ``scale``.
    """
    high = modcrop(pixels, scale)
    return downscale(high, scale, edge), high
