"""A degraded image and its target: what validation measures and a page shows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Pair:
    """One validation image.

    ``degraded`` `(h, w, C)` is the input and ``target`` `(scale h, scale w, c)` what a network should give, uint8 or
    float32; what the values mean is the task's (its ``TaskRules``). ``grey`` says that the file had a single channel.
    ``display`` holds numbers that the task needs to show the image, none for most. ``level`` is the place of the noise
    level in the range of levels, from 0 to 1; NaN where it is not known.
    """

    name: str
    degraded: np.ndarray
    target: np.ndarray
    grey: bool = False
    display: np.ndarray = field(default_factory=lambda: np.empty(0))
    level: float = math.nan
