"""Post-training quantization to int8: what the quantizers of all engines have in common.

Weights have a scale per output channel, values a scale and a zero point per tensor, from the smallest and largest value
that calibration pictures give. A network's two ends are images: their ranges are black to white at least, so that
neither is clipped where no calibration picture has them, and an input of 8-bit values loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from evaluators.export.formats import Exportable, ExportError

WEIGHTED = ("conv", "conv_transpose", "matmul")  # kinds of operators that have weights, or may have
BLACK, WHITE = 0.0, 1.0
Range = tuple[float, float]  # smallest and largest value
SILENT: Range = (0.0, 1.0)
"""Taken for a value that is zero on every calibration picture, as after a ReLU that none of them opens.

Another picture may open it; and with a scale of about nothing XNNPACK refuses the file (the ratio of two scales must be
below 256), and the bias of the layer that reads it does not fit into 32 bits.
"""


def is_silent(low: float, high: float) -> bool:
    return low == high == 0


def end_ranges(what: Exportable) -> tuple[Range, Range]:
    """Ranges of input and output over the calibration pictures: black to white, or more where values go beyond.

    Raises:
        ExportError: there is no calibration picture.
    """
    if not what.calibration:
        raise ExportError("int8 needs calibration pictures, got none")
    with torch.inference_mode():
        outputs = [what.network(torch.from_numpy(picture)).numpy() for picture in what.calibration]
    return _range(what.calibration), _range(outputs)


def _range(images: Iterable[np.ndarray]) -> Range:
    low, high = zip(*((float(image.min()), float(image.max())) for image in images), strict=True)
    return min(BLACK, *low), max(WHITE, *high)
