"""How each task degrades an image, what stands as its baseline, and how its result is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evaluators.images.metrics import psnr_y, ssim_y
from evaluators.images.pairs import sr_pair
from evaluators.images.resize import upscale

Metric = Callable[[np.ndarray, np.ndarray, int], float]


@dataclass(frozen=True, slots=True)
class TaskRules:
    """Functions on uint8 images `(H, W, 3)` and the task's scale.

    ``pair(pixels, scale)`` gives (input, target); ``baseline(input, scale)`` what one would do without a network;
    the metrics take (output, target, scale).
    """

    pair: Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]
    baseline: Callable[[np.ndarray, int], np.ndarray]
    baseline_name: str
    psnr_db: Metric
    ssim: Metric
    metric_name: str


RULES: dict[str, TaskRules] = {
    # The rule of the s-LWSR, CARN and IMDN tables: Y of BT.601, `scale` pixels shaved, 8-bit output.
    "sr": TaskRules(sr_pair, upscale, "bicubic", psnr_y, ssim_y, "PSNR on Y"),
}
