"""Muon for the weights that mix channels, Adam for all others.

Muon (Jordan et al., 2024, "Muon: An optimizer for hidden layers in neural networks") replaces the update of a matrix by
the nearest one whose singular values are all alike, so that directions with small gradients are learnt as fast as those
with large ones. ``torch.optim.Muon`` takes matrices alone and one at a time; here a convolution is the matrix of its
output channels by all that each of them sees, as its authors propose, and weights of one shape are worked on together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, overload

import torch
from torch import Tensor, nn

from evaluators.training.plan import ADAM_BETAS

MOMENTUM = 0.9
"""0.95, the authors', is behind with 16 channels and 12 blocks (0.99 dB above bicubic after 800 steps, not 1.07) and
with s-LWSR16 (1.05, not 1.14), and ahead with 8 and 6 (0.91, not 0.89). (``reports/published/training-recipes``.)"""

SINGULAR_VALUE = 5.0
"""Of an update, in units of the rate. Twice as much learns more in 100 steps; after 800 it is a tie with 8 channels and
6 blocks, and behind with 16 and 12 (0.95 dB) and with s-LWSR16 (1.01). Half as much is behind with all three (0.81,
1.02, 1.12)."""

FEWEST_CHANNELS = 4
"""Fewer are an image's, or those of a depthwise convolution."""

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # the authors': three terms of an odd quintic
ITERATIONS = 5
EPSILON = 1e-7


def mixes_channels(weight: Tensor) -> bool:
    """Whether Muon trains it: a matrix or a convolution's weight, neither of an image's channels nor depthwise."""
    return weight.ndim in (2, 4) and min(weight.shape[:2]) >= FEWEST_CHANNELS


def orthogonalised(updates: Sequence[Tensor]) -> list[Tensor]:
    """For each of the weights' updates, of any shapes, the one of its directions with singular values of about 1.

    Between 0.7 and 1.2 by ``ITERATIONS`` of the authors' polynomial, in float32. An update of zeros stays one.
    """
    of_shape: dict[torch.Size, list[int]] = defaultdict(list)
    for index, update in enumerate(updates):
        of_shape[update.shape].append(index)
    found = list(updates)
    for shape, indices in of_shape.items():
        matrices = torch.stack([updates[index].reshape(shape[0], -1) for index in indices])
        for index, matrix in zip(indices, _orthogonalised(matrices), strict=True):
            found[index] = matrix.reshape(shape)
    return found


def _orthogonalised(matrices: Tensor) -> Tensor:
    """Of ``(N, rows, columns)``."""
    first, third, fifth = NEWTON_SCHULZ
    is_tall = matrices.shape[1] > matrices.shape[2]
    found = matrices.mT if is_tall else matrices
    found = found / (found.norm(dim=(1, 2), keepdim=True) + EPSILON)
    for _ in range(ITERATIONS):
        squared = found @ found.mT
        found = first * found + (third * squared + fifth * squared @ squared) @ found
    return found.mT if is_tall else found


class Muon(torch.optim.Adam):
    """Adam on what does not mix channels, and Muon with Nesterov's momentum on what does.

    ``param_groups`` and ``state`` are as of any optimizer: one group, whose ``lr`` is Adam's rate and a
    ``SINGULAR_VALUE``-th of Muon's, and for each weight of Muon's the tensor ``momentum``.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float) -> None:
        parameters = list(parameters)
        self._mixing = [each for each in parameters if mixes_channels(each)]
        others = [each for each in parameters if not mixes_channels(each)]
        super().__init__([{"params": others}], lr=lr, betas=ADAM_BETAS, fused=True)

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(set_to_none)
        for weight in self._mixing:
            weight.grad = None

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        loss: Any = super().step(closure)
        moved = [weight for weight in self._mixing if weight.grad is not None]
        updates = []
        for weight in moved:
            assert weight.grad is not None
            state = self.state[weight]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(weight)
            state["momentum"].lerp_(weight.grad, 1 - MOMENTUM)
            updates.append(weight.grad.lerp(state["momentum"], MOMENTUM))
        rate = SINGULAR_VALUE * self.param_groups[0]["lr"]
        for weight, update in zip(moved, orthogonalised(updates), strict=True):
            weight.add_(update, alpha=-rate)
        return loss
