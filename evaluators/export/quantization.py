"""Post-training quantization to int8: what all engines' quantizers have in common.

Weights have a scale per output channel, values a scale and a zero point per tensor, from the smallest and largest value
that calibration pictures give. A network's two ends are images, whose range is known: there the scale is 1/255, so that
every 8-bit value, white and black too, is a value of int8.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.export.formats import Exportable, ExportError

BLACK, WHITE = 0.0, 1.0
OUTPUT_RANGE = (BLACK, WHITE)


def calibration_of(what: Exportable) -> Sequence[np.ndarray]:
    """The calibration pictures.

    Raises:
        ExportError: there is none.
    """
    if not what.calibration:
        raise ExportError("int8 needs calibration pictures, got none")
    return what.calibration


def input_range(calibration: Sequence[np.ndarray]) -> tuple[float, float]:
    """Smallest and largest value of an input: black to white, or more where noise goes beyond them."""
    low = min(float(picture.min()) for picture in calibration)
    high = max(float(picture.max()) for picture in calibration)
    return min(BLACK, low), max(WHITE, high)
