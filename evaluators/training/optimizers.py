"""The optimizers of a ``TrainingPlan``, by its word for them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from evaluators.training.muon import Muon
from evaluators.training.plan import ADAM, ADAM_BETAS, TrainingPlan


def optimizer_of(plan: TrainingPlan, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """With one group of parameters, whose ``lr`` is the plan's rate."""
    if plan.optimizer == ADAM:
        # Fused: 0.8 ms for the 121 tensors of s-LWSR16 on one CPU thread, against 1.9 (foreach) and 3.2 (a loop).
        return torch.optim.Adam(parameters, lr=plan.learning_rate, betas=ADAM_BETAS, fused=True)
    return Muon(parameters, plan.learning_rate)
