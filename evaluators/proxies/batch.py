"""What a proxy is computed on, and how it leaves a network as it was."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import nn

from evaluators.training.trainer import Loss


@dataclass(frozen=True)
class Batch:
    """Training patches of a task: ``inputs`` (N, C, h, w) and ``targets`` (N, c, H, W), float32 in [0, 1]."""

    inputs: torch.Tensor
    targets: torch.Tensor
    loss: Loss


def copied(network: nn.Module, dtype: torch.dtype, train: bool) -> nn.Module:
    """A copy to be changed: in ``dtype``, with norms that use the batch's statistics if ``train``."""
    own = copy.deepcopy(network).to(dtype)
    own.zero_grad(set_to_none=True)
    return own.train(train)
