"""Zero-cost proxies: scores of a network before its first step, which papers rank architectures by.

A proxy is a function of a network with random weights, which it leaves as it was, and of a ``Batch``. Larger is said to
be better. They were proposed for image classifiers; the loss and the batch are the task's here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import nn

from evaluators.proxies.activation_patterns import naswot
from evaluators.proxies.batch import Batch
from evaluators.proxies.gradients import grad_norm, synflow
from evaluators.proxies.input_gradients import jacobian_covariance
from evaluators.proxies.perturbation import zen

__all__ = ["PROXIES", "Batch", "drawn", "scores"]

PROXIES: dict[str, Callable[[nn.Module, Batch], float]] = {
    "synflow": synflow,
    "naswot": naswot,
    "grad-norm": grad_norm,
    "jacobian-covariance": jacobian_covariance,
    "zen": zen,
}


def scores(network: nn.Module, batch: Batch) -> Mapping[str, float]:
    """Every proxy of ``network`` with ``drawn`` weights, by name; NaN where a score is not a finite number."""
    ready = drawn(network, torch.Generator().manual_seed(0))
    found = {name: proxy(ready, batch) for name, proxy in PROXIES.items()}
    return {name: value if math.isfinite(value) else math.nan for name, value in found.items()}


def drawn(network: nn.Module, generator: torch.Generator) -> nn.Module:
    """``network`` with weights of convolutions that are all zero replaced by what torch draws for a convolution.

    Networks here begin as their input skip: their last convolution is zero. A proxy would see nothing of what lies
    before it. He et al.'s uniform distribution with a of sqrt(5), as ``nn.Conv2d`` has it.
    """
    with torch.no_grad():
        for weight in network.parameters():
            if weight.dim() > 1 and not weight.any():
                nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
    return network
