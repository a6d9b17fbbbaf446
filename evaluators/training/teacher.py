"""A trained network that losses compare with: a frozen copy, in eval mode, run in the arithmetic of training."""

from __future__ import annotations

import contextlib
import copy

from torch import Tensor, nn

from evaluators.training.precision import Precision
from space.specialists import Specialists


class Teacher(nn.Module):
    """As its network: float32 images in, float32 images out; gradients pass through it to its input alone.

    ``network`` is copied, so that the one given keeps its mode, its norms and its gradients. The trainer that takes the
    loss calls ``place``; before that the arithmetic is float32.

    Raises:
        ValueError: ``network`` is several specialists, which would have to be told the noise level.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        if isinstance(network, Specialists):
            raise ValueError(f"a teacher must be one network for all levels, got {len(network.networks)} specialists")
        self.network = copy.deepcopy(network).requires_grad_(False).eval()
        self.network.zero_grad(set_to_none=True)
        self._precision: Precision | None = None

    def place(self, precision: Precision) -> None:
        """To the device, the memory order and the arithmetic of training."""
        precision.place_network(self.network)
        self._precision = precision

    def train(self, mode: bool = True) -> Teacher:
        """As for every module, except that the network stays in eval mode: its norms keep their statistics."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, image: Tensor) -> Tensor:
        with self._precision.arithmetic() if self._precision else contextlib.nullcontext():
            output: Tensor = self.network(image)
        return output.float()


def place_teachers(loss: nn.Module, precision: Precision) -> None:
    """``place`` every teacher in ``loss``, and in the losses that it adds to."""
    for module in loss.modules():
        if isinstance(module, Teacher):
            module.place(precision)
