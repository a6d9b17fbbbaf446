"""The stages of a compression that train: how the steps are shared, and each as a ``Training``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from evaluators.compression.int8 import Int8Network, Sensitivity, quantized, sensitivities
from search.experiments.compress_folder import FINE_TUNING, INT8
from search.experiments.compress_request import CompressRequest
from search.experiments.int8_ranges import Int8Ranges
from search.experiments.sessions import TrainingSession
from search.experiments.train_request import with_warmup
from search.experiments.training import Training
from space.architecture import Architecture

INT8_SHARE = 0.2
"""Of all steps, at the end, where a network is fine-tuned in float before; our choice, as is ``INT8_RATE``."""
INT8_RATE = 0.1
"""Of the rate of fine-tuning: training for int8 moves weights by fractions of a level, and need not find others."""
SHARED_OUT = 1000  # steps of which the shares are told before their number is known
RANKED_PX, RANKED = 96, 2  # side and number of the cuts on which layers are ranked, a pass a layer


def shares(request: CompressRequest, steps: int) -> tuple[int, int]:
    """Of ``steps``, those of fine-tuning in float and those for int8, which come last.

    A network that nothing was taken from, and that nobody teaches, has nothing to learn in float.
    """
    if not request.is_int8:
        return steps, 0
    if request.prune is None and request.base.loss.is_own:
        return 0, steps
    last = min(steps, max(1, round(INT8_SHARE * steps)))
    return steps - last, last


def fine_tuning(request: CompressRequest, arch: Architecture, start: str, steps: int, every: int) -> Training:
    """In float, of ``arch`` from weights of the fingerprint ``start``."""
    changes = with_warmup(request.base.plan_changes, steps)
    return replace(
        request.base, architecture=arch, start=start, steps=steps, validate_every=every, plan_changes=changes
    )


def int8_training(
    request: CompressRequest, arch: Architecture, start: str, steps: int, every: int, ranges: Int8Ranges
) -> Training:
    """As ``fine_tuning``, rounded to ``ranges`` and at a small rate."""
    training = fine_tuning(request, arch, start, steps, every)
    rate = ("learning_rate", INT8_RATE * request.base.plan.learning_rate)
    return replace(training, plan_changes=(*training.plan_changes, rate), int8=ranges.fingerprint)


def session_of(request: CompressRequest, stage: str) -> TrainingSession:
    """That of the stage ``FINE_TUNING`` or ``INT8``, which is simulated in float32."""
    session = replace(request.session, stage=stage)
    if stage == FINE_TUNING or session.precision.autocast is None:
        return session
    return replace(session, precision=session.precision.in_float32(f"{INT8} is simulated in float32"))


def calibrated(network: nn.Module, calibration: Sequence[np.ndarray], mixed: int) -> tuple[nn.Module, Int8Ranges]:
    """``network`` in int8 but for the ``mixed`` most sensitive layers, and what it rounds to.

    Args:
        calibration: images `(1, C, h, w)`, float32.
    """
    images = [torch.from_numpy(image) for image in calibration]
    int8 = quantized(network, images)
    if not isinstance(int8, Int8Network):
        return int8, Int8Ranges.of(int8)
    ranked: tuple[Sensitivity, ...] = sensitivities(int8, [_middle(image) for image in images[:RANKED]])
    if mixed:
        int8 = int8.with_float([each.layer for each in ranked[:mixed]]).eval()
    return int8, Int8Ranges.of(int8, ranked)


def _middle(image: Tensor) -> Tensor:
    top, left = (max(0, side - RANKED_PX) // 2 for side in image.shape[2:])
    return image[..., top : top + RANKED_PX, left : left + RANKED_PX].contiguous()
