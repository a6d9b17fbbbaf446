"""Zen-score: how far the output moves with the input, under weights of one variance."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn

from evaluators.proxies.batch import Batch, copied

_STEP = 0.01  # alpha of the paper's algorithm 1
_REPEATS, _SEED = 4, 0


def zen(network: nn.Module, batch: Batch) -> float:
    """Log of the mean distance between the outputs for x and x + 0.01 e, plus the logs of what batch norms divide by.

    Weights, x and e are from the standard normal distribution, biases are zero; the mean is over four draws. Lin et
    al., Zen-NAS, ICCV 2021 (arXiv 2102.01063), algorithm 1. It differs in two ways: residual connections stay, and
    there are only the batch norms that a network has. float64 keeps the outputs of deep networks without them finite;
    NaN where they overflow all the same.
    """
    generator = torch.Generator().manual_seed(_SEED)
    shape = batch.inputs.shape
    moved, divided = 0.0, 0.0
    for _ in range(_REPEATS):
        own = copied(network, torch.float64, train=True)
        norms = [module for module in own.modules() if isinstance(module, nn.BatchNorm2d)]
        deviations: list[float] = []
        hooks = [norm.register_forward_pre_hook(_noting(deviations)) for norm in norms]
        with torch.no_grad():
            for name, value in own.named_parameters():
                if value.dim() > 1:
                    value.normal_(generator=generator)
                elif name.endswith("bias"):
                    value.zero_()
            x, noise = (torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(2))
            first = own(x)
            for hook in hooks:
                hook.remove()
            moved += float((first - own(x + _STEP * noise)).norm() / len(x) ** 0.5) / _REPEATS
        divided += sum(math.log(max(each, 1e-300)) for each in deviations) / _REPEATS
    return math.log(moved) + divided if moved > 0 and math.isfinite(moved) else math.nan


def _noting(deviations: list[float]) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], None]:
    """A hook that adds the root of a norm's mean variance over channels, by which it divides."""

    def note(_norm: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        deviations.append(float(inputs[0].var(dim=(0, 2, 3), unbiased=False).mean().sqrt()))

    return note
