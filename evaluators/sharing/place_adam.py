"""Adam for tensors of which each step changes a part: every place has a clock of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from evaluators.training.plan import ADAM_BETAS, EMA_RAMP_STEPS, TrainingPlan

EPSILON = 1e-8  # torch's own
STATES = ("mean", "square", "average", "count")


class PlaceAdam:
    """Adam (Kingma and Ba, 2015) and an exponential average, both of the places that have a gradient alone.

    Plain Adam goes on moving a place for many steps after a gradient, and the rarer gradients are, the further: one in
    a hundred steps moves it by 30 times the rate. Weights that few networks use would be thrown about. Here moments,
    bias corrections, warm-up and average of a place count the steps in which it had a gradient.

    Args:
        tensors: by key; changed in place.
    """

    def __init__(self, tensors: Mapping[str, Tensor], plan: TrainingPlan) -> None:
        self._tensors, self._plan = dict(tensors), plan
        self._states: dict[str, dict[str, Tensor]] = {
            key: {
                "mean": torch.zeros_like(tensor),
                "square": torch.zeros_like(tensor),
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
        for key, tensor in self._tensors.items():
            if tensor.grad is not None:
                self._update(tensor, tensor.grad, **self._states[key])

    def _update(
        self, tensor: Tensor, gradient: Tensor, mean: Tensor, square: Tensor, average: Tensor, count: Tensor
    ) -> None:
        plan, (first, second) = self._plan, ADAM_BETAS
        has = (gradient != 0).to(tensor.dtype)
        warm = ((count + 1) / max(1, plan.warmup_steps)).clamp_(max=1.0)
        keep = ((count + 1) / (count + EMA_RAMP_STEPS)).clamp_(max=plan.ema_decay)
        count.add_(has)
        mean.add_((gradient - mean).mul_(has), alpha=1 - first)
        square.add_((gradient.square() - square).mul_(has), alpha=1 - second)
        made = count.clamp(min=1)
        size = (square / (1 - second**made)).sqrt_().add_(EPSILON)
        change = (mean / (1 - first**made)).div_(size).mul_(warm).mul_(has)
        tensor.add_(change, alpha=-plan.learning_rate)
        average.add_((tensor - average).mul_((1 - keep).mul_(has)))

    def state(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor that continuing needs, as ``KEY/NAME``."""
        for key, state in self._states.items():
            for name in STATES:
                yield f"{key}/{name}", state[name]

    @torch.no_grad()
    def load(self, saved: Mapping[str, Tensor]) -> None:
        """Go on from what ``state`` gave.

        Raises:
            KeyError: a tensor is missing.
        """
        for key, state in self._states.items():
            for name in STATES:
                state[name].copy_(saved[f"{key}/{name}"])
