"""How good a network is: restored images, and PSNR and SSIM by the task's rules. Always fp32."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
import torch
from torch import Tensor, nn

from evaluators.tasks import Pair, TaskRules
from space.errors import UserError
from space.specialists import network_at

SELF_ENSEMBLE = 8  # runs of the network for one output


class NonFiniteOutputError(UserError):
    """A network's output holds NaN or infinite values: it has diverged, or its weights are damaged.

    Rounded to 8 bits they would become black or white pixels, and look like a poor network's.
    """


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over images of PSNR in dB and SSIM, each image's PSNR, and means of the task's further figures in dB."""

    psnr_db: float
    ssim: float
    psnr_db_by_image: dict[str, float]
    others_db: dict[str, float] = field(default_factory=dict)


def restore(
    network: nn.Module, degraded: np.ndarray, rules: TaskRules, device: str = "cpu", self_ensemble: bool = False
) -> np.ndarray:
    """The output of ``network`` (fp32, eval mode) for an input as in ``Pair.degraded``; the task says what both are.

    Raises:
        NonFiniteOutputError: a value of it is NaN or infinite.
    """
    image = (
        torch.from_numpy(np.ascontiguousarray(rules.degrade.network_input(degraded))).to(device).permute(2, 0, 1)[None]
    )
    run = self_ensembled(network) if self_ensemble else network
    with torch.inference_mode():
        output = run(image.contiguous(memory_format=torch.channels_last))
    values = output[0].permute(1, 2, 0).float().cpu().numpy()
    check_finite(values)
    return rules.measure.output(values, degraded)


def check_finite(values: np.ndarray) -> None:
    """Raises: NonFiniteOutputError: one of a network's ``values`` is NaN or infinite."""
    if not np.isfinite(values).all():
        share = float(np.mean(~np.isfinite(values)))
        raise NonFiniteOutputError(
            f"the network's output must be finite, got NaN or infinity in {share:.0%} of its values; it diverged in "
            "training, or its weights are damaged"
        )


def self_ensembled(network: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The mean of the network over the eight flips and turns of its input, each turned back (EDSR, section 3.4)."""

    def turned_back(image: Tensor, turn: int) -> Tensor:
        axes = [axis for axis, bit in ((2, 1), (3, 2)) if turn & bit]
        turned = image.flip(axes)
        output = network(turned.transpose(2, 3) if turn & 4 else turned)
        return (output.transpose(2, 3) if turn & 4 else output).flip(axes)

    def run(image: Tensor) -> Tensor:
        return reduce(torch.add, (turned_back(image, turn) for turn in range(SELF_ENSEMBLE))) / SELF_ENSEMBLE

    return run


def evaluate(
    network: nn.Module, pairs: Iterable[Pair], rules: TaskRules, device: str = "cpu", self_ensemble: bool = False
) -> Quality:
    """Quality of ``network`` (fp32, eval mode) on ``pairs``; of specialists, the one for a picture's noise level runs.

    Raises:
        UserError: specialists, and a picture whose noise level is not known.
        NonFiniteOutputError: the network does not give finite values.
    """

    def restored(pair: Pair) -> np.ndarray:
        return restore(network_at(network, pair.level), pair.degraded, rules, device, self_ensemble)

    return measure(restored, pairs, rules)


def baseline(pairs: Sequence[Pair], rules: TaskRules) -> Quality:
    """Quality without a network: of the degraded input itself, or of bicubic interpolation for super-resolution."""
    return measure(lambda pair: rules.measure.baseline(pair.degraded), pairs, rules)


def classical_baselines(pairs: Sequence[Pair], rules: TaskRules) -> dict[str, Quality]:
    """Quality of the task's classical methods (``Measure.classical_baselines``), by name."""

    def quality_of(method: Callable[[np.ndarray], np.ndarray]) -> Quality:
        return measure(lambda pair: method(pair.degraded), pairs, rules)

    return {name: quality_of(method) for name, method in rules.measure.classical_baselines.items()}


def measure(method: Callable[[Pair], np.ndarray], pairs: Iterable[Pair], rules: TaskRules) -> Quality:
    """Quality of any ``method`` from a pair to an output; a PSNR is never infinite (``_finite_db``)."""
    psnr, ssim, others = {}, [], []
    for pair in pairs:
        output = method(pair)
        psnr[pair.name] = _finite_db(rules.measure.psnr_db(output, pair), pair)
        ssim.append(float(rules.measure.ssim(output, pair)))
        others.append(
            {name: _finite_db(value, pair) for name, value in rules.measure.other_metrics(output, pair).items()}
        )
    means = {name: float(np.mean([figures[name] for figures in others])) for name in others[0]}
    return Quality(float(np.mean(list(psnr.values()))), float(np.mean(ssim)), psnr, means)


def _finite_db(psnr_db: float, pair: Pair) -> float:
    """An output that equals its target in every bit counts as one that is a level of 255 off in one value.

    Its PSNR would be infinite, and so would every mean that it is in.
    """
    return 10 * math.log10(255.0**2 * pair.target.size) if math.isinf(psnr_db) else float(psnr_db)
