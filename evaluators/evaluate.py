"""How good a network is: restored images, and PSNR and SSIM by the task's rules. Always fp32."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from evaluators.tasks import Pair, TaskRules
from space.specialists import network_at

SELF_ENSEMBLE = 8  # runs of the network for one output


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over images of PSNR in dB and SSIM, each image's PSNR, and means of the task's further figures in dB."""

    psnr_db: float
    ssim: float
    psnr_db_by_image: dict[str, float]
    others_db: dict[str, float] = field(default_factory=dict)


def restore(
    network: nn.Module, low: np.ndarray, rules: TaskRules, device: str = "cpu", self_ensemble: bool = False
) -> np.ndarray:
    """The output of ``network`` (fp32, eval mode) for an input as in ``Pair.low``; see ``TaskRules`` for both."""
    image = torch.from_numpy(np.ascontiguousarray(rules.network_input(low))).to(device).permute(2, 0, 1)[None]
    run = self_ensembled(network) if self_ensemble else network
    with torch.inference_mode():
        output = run(image.contiguous(memory_format=torch.channels_last))
    return rules.output(output[0].permute(1, 2, 0).float().cpu().numpy(), low)


def self_ensembled(network: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The mean of the network over the eight flips and turns of its input, each turned back (EDSR, section 3.4)."""

    def run(image: Tensor) -> Tensor:
        total = None
        for turn in range(SELF_ENSEMBLE):
            axes = [axis for axis, bit in ((2, 1), (3, 2)) if turn & bit]
            turned = image.flip(axes)
            output = network(turned.transpose(2, 3) if turn & 4 else turned)
            output = (output.transpose(2, 3) if turn & 4 else output).flip(axes)
            total = output if total is None else total + output
        return total / SELF_ENSEMBLE

    return run


def evaluate(
    network: nn.Module, pairs: Iterable[Pair], rules: TaskRules, device: str = "cpu", self_ensemble: bool = False
) -> Quality:
    """Quality of ``network`` (fp32, eval mode) on ``pairs``; of specialists, the one for a picture's noise level runs.

    Raises:
        UserError: specialists, and a picture whose noise level is not known.
    """

    def restored(pair: Pair) -> np.ndarray:
        return restore(network_at(network, pair.level), pair.low, rules, device, self_ensemble)

    return measure(restored, pairs, rules)


def baseline(pairs: Sequence[Pair], rules: TaskRules) -> Quality:
    """Quality without a network: of the degraded input itself, or of bicubic interpolation for super-resolution."""
    return measure(lambda pair: rules.baseline(pair.low), pairs, rules)


def yardsticks(pairs: Sequence[Pair], rules: TaskRules) -> dict[str, Quality]:
    """Quality of the task's classical methods (``TaskRules.yardsticks``), by name."""
    return {
        name: measure(lambda pair, method=method: method(pair.low), pairs, rules)
        for name, method in rules.yardsticks.items()
    }


def measure(method: Callable[[Pair], np.ndarray], pairs: Iterable[Pair], rules: TaskRules) -> Quality:
    """Quality of any ``method`` from a pair to an output."""
    psnr, ssim, others = {}, [], []
    for pair in pairs:
        output = method(pair)
        psnr[pair.name] = float(rules.psnr_db(output, pair))
        ssim.append(float(rules.ssim(output, pair)))
        others.append(rules.other_metrics(output, pair))
    means = {name: float(np.mean([figures[name] for figures in others])) for name in others[0]}
    return Quality(float(np.mean(list(psnr.values()))), float(np.mean(ssim)), psnr, means)
