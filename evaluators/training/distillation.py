"""Distillation of outputs: a small network is also trained to give what a larger, trained one gives for its input.

    loss = the task's own loss of (output, target) + weight x the same loss of (output, the teacher's output)

The plain form of learning from a teacher's outputs (Hinton et al., arXiv 1503.02531, for classes) with a loss of
regression. One loss serves both parts, so that a weight of 1 counts teacher and target alike whatever the loss's unit
is, and what the loss leaves out, such as the pixels outside an inpainting mask, is left out of both. ``FeatureLoss`` is
the other way to use a teacher.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evaluators.training.teacher import Teacher
from evaluators.training.trainer import Loss


class Distillation(nn.Module):
    """A ``Loss`` of ``Trainer``: of output, target and network input to a scalar.

    All are float32 `(N, C, h, w)`, of super-resolution with an input of `1/scale` of the sides. The teacher runs once a
    step, without gradients, on what the student sees: patches with their edges. Where it reads more of a picture than
    the patch has, it teaches what it can do without that.

    Args:
        pixels: the task's own loss, ``TaskRules.measure.loss``.
        teacher: a trained network of the student's task, which is copied.
        weight: of the teacher's output against the target, at least 0.

    Raises:
        ValueError: the weight is negative, or the teacher is several specialists.
    """

    def __init__(self, pixels: Loss, teacher: nn.Module, weight: float) -> None:
        super().__init__()
        if weight < 0:
            raise ValueError(f"weight must be at least 0, got {weight}")
        self.pixels = pixels
        self.teacher = Teacher(teacher)
        self.weight = weight

    def forward(self, output: Tensor, target: Tensor, network_input: Tensor) -> Tensor:
        """Raises: ValueError: the teacher's output has another shape than the student's."""
        with torch.no_grad():
            taught = self.teacher(network_input)
        if taught.shape != output.shape:
            raise ValueError(
                f"the teacher's output must be {tuple(output.shape)}, as the student's, for an input of "
                f"{tuple(network_input.shape)}, got {tuple(taught.shape)}"
            )
        own = self.pixels(output, target, network_input)
        return own + self.weight * self.pixels(output, taught, network_input)
