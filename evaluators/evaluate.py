"""How good a network is: restored images, and PSNR and SSIM by the task's rules. Always fp32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from evaluators.data import Pair
from evaluators.tasks import RULES


@dataclass(frozen=True, slots=True)
class Quality:
    """Means over images of PSNR in dB and SSIM, and each image's PSNR."""

    psnr_db: float
    ssim: float
    psnr_db_by_image: dict[str, float]


def restore(network: nn.Module, low: np.ndarray, device: str = "cpu") -> np.ndarray:
    """The network's uint8 output `(H, W, 3)` for a uint8 input `(h, w, 3)`, rounded as a saved PNG would be."""
    image = torch.from_numpy(np.array(low)).to(device).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        output = network(image.contiguous(memory_format=torch.channels_last))
    return output[0].mul(255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).cpu().numpy()


def evaluate(network: nn.Module, pairs: Sequence[Pair], task: str, scale: int, device: str = "cpu") -> Quality:
    """Quality of ``network`` (fp32, eval mode) on ``pairs``."""
    return measure(lambda low: restore(network, low, device), pairs, task, scale)


def baseline(pairs: Sequence[Pair], task: str, scale: int) -> Quality:
    """Quality without a network: bicubic interpolation for super-resolution."""
    return measure(lambda low: RULES[task].baseline(low, scale), pairs, task, scale)


def measure(method: Callable[[np.ndarray], np.ndarray], pairs: Sequence[Pair], task: str, scale: int) -> Quality:
    """Quality of any ``method`` from a uint8 input to a uint8 output.

    A grey picture is measured as it is, without the 16..235 range of Y: the published tables agree only so.
    """
    rules = RULES[task]
    psnr, ssim = {}, []
    for pair in pairs:
        output, target = method(pair.low), pair.high
        if pair.grey:
            output, target = output.mean(axis=2).round(), target[..., 0]
        psnr[pair.name] = float(rules.psnr_db(output, target, scale))
        ssim.append(float(rules.ssim(output, target, scale)))
    return Quality(float(np.mean(list(psnr.values()))), float(np.mean(ssim)), psnr)
