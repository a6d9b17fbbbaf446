"""The plan's optimizer for tensors of which each step changes a part: every place has a clock of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from evaluators.training.muon import MOMENTUM, SINGULAR_VALUE, mixes_channels, orthogonalised
from evaluators.training.plan import ADAM_BETAS, EMA_RAMP_STEPS, MUON, TrainingPlan

EPSILON = 1e-8  # torch's own


class PlaceOptimizer:
    """Adam (Kingma and Ba, 2015) or Muon, and an exponential average, of the places that have a gradient alone.

    Plain Adam goes on moving a place for many steps after a gradient, and the rarer gradients are, the further: one in
    a hundred steps moves it by 30 times the rate. Weights that few networks use would be thrown about. Here moments,
    bias corrections, warm-up, falling rate and average of a place count the steps in which it had a gradient. Muon
    trains what it does in a single network (``evaluators.training.muon``), each tensor as one matrix.

    Args:
        tensors: by key; changed in place.

    Attributes:
        rate: a factor of the plan's learning rate.
    """

    def __init__(self, tensors: Mapping[str, Tensor], plan: TrainingPlan) -> None:
        self._tensors, self._plan = dict(tensors), plan
        self.rate = 1.0
        self._of_muon = {key for key, tensor in tensors.items() if plan.optimizer == MUON and mixes_channels(tensor)}
        self._states: dict[str, dict[str, Tensor]] = {
            key: {
                "mean": torch.zeros_like(tensor),
                **({} if key in self._of_muon else {"square": torch.zeros_like(tensor)}),
                "average": tensor.detach().clone(),
                "count": torch.zeros_like(tensor),
            }
            for key, tensor in self._tensors.items()
        }

    @property
    def averages(self) -> dict[str, Tensor]:
        return {key: state["average"] for key, state in self._states.items()}

    def zero_grad(self) -> None:
        for tensor in self._tensors.values():
            tensor.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Use the gradients there are; a place whose gradient is exactly zero has none."""
        gradients = {key: tensor.grad for key, tensor in self._tensors.items() if tensor.grad is not None}
        places = {key: (gradient != 0).to(gradient.dtype) for key, gradient in gradients.items()}
        of_muon = [key for key in gradients if key in self._of_muon]
        updates = [_nesterov(self._states[key], gradients[key], places[key]) for key in of_muon]
        directions = dict(zip(of_muon, orthogonalised(updates), strict=True))
        for key, has in places.items():
            state = self._states[key]
            change = SINGULAR_VALUE * directions[key] if key in directions else _adam(state, gradients[key], has)
            self._move(self._tensors[key], change.mul_(has), has, state["average"], state["count"])

    def _move(self, tensor: Tensor, change: Tensor, has: Tensor, average: Tensor, count: Tensor) -> None:
        """By ``change`` times the rate, where there ``has`` been a gradient."""
        plan = self._plan
        share = ((count + 1) / max(1, plan.warmup_steps)).clamp_(max=1.0)
        if plan.full_rate_steps:
            share.mul_((plan.full_rate_steps / count.clamp(min=1)).sqrt_().clamp_(max=1.0))
        keep = ((count + 1) / (count + EMA_RAMP_STEPS)).clamp_(max=plan.ema_decay)
        count.add_(has)
        tensor.add_(change.mul_(share), alpha=-self.rate * plan.learning_rate)
        average.add_((tensor - average).mul_((1 - keep).mul_(has)))

    def state(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor that continuing needs, as ``KEY/NAME``."""
        for key, state in self._states.items():
            for name, value in state.items():
                yield f"{key}/{name}", value

    @torch.no_grad()
    def load(self, saved: Mapping[str, Tensor]) -> None:
        """Go on from what ``state`` gave.

        Raises:
            KeyError: a tensor is missing.
        """
        for key, state in self._states.items():
            for name, value in state.items():
                value.copy_(saved[f"{key}/{name}"])


def _nesterov(state: dict[str, Tensor], gradient: Tensor, has: Tensor) -> Tensor:
    """What Muon makes orthogonal."""
    state["mean"].add_((gradient - state["mean"]).mul_(has), alpha=1 - MOMENTUM)
    return gradient.lerp(state["mean"], MOMENTUM).mul_(has)


def _adam(state: dict[str, Tensor], gradient: Tensor, has: Tensor) -> Tensor:
    """What Adam moves by, in units of the rate; ``count`` is of the steps before this one."""
    mean, square, (first, second) = state["mean"], state["square"], ADAM_BETAS
    mean.add_((gradient - mean).mul_(has), alpha=1 - first)
    square.add_((gradient.square() - square).mul_(has), alpha=1 - second)
    made = (state["count"] + has).clamp_(min=1)
    size = (square / (1 - second**made)).sqrt_().add_(EPSILON)
    return (mean / (1 - first**made)).div_(size)
