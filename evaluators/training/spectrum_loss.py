"""The loss of spectra with which SMFANet was trained (`Zheng-MJ/SMFANet`, `basicsr/losses/basic_loss.py`, ``FFTLoss``).

    loss = the task's own loss + weight x mean of |Re F| and |Im F|,  F = rfft2(output - target)

Its options train with a weight of 0.05 on patches of 256x256 (`SMFANet_DIV2K_100w_x4SR.yml`). The transform is not
normalised: of an error without structure, a coefficient grows with the square root of the patch's pixels, so that the
same weight counts for a quarter on patches of 64x64, which is what 16x16 input pixels become at x4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evaluators.training.trainer import Loss

SMFANET_WEIGHT = 0.05


class SpectrumLoss(nn.Module):
    """A ``Loss`` of ``Trainer``: of output, target and network input to a scalar.

    Args:
        pixels: the loss that it is added to: the task's own, or one with a teacher.
        weight: of the spectra against the pixels, at least 0.

    Raises:
        ValueError: the weight is negative.
    """

    def __init__(self, pixels: Loss, weight: float = SMFANET_WEIGHT) -> None:
        super().__init__()
        if weight < 0:
            raise ValueError(f"weight must be at least 0, got {weight}")
        self.pixels = pixels
        self.weight = weight

    def forward(self, output: Tensor, target: Tensor, network_input: Tensor) -> Tensor:
        return self.pixels(output, target, network_input) + self.weight * spectral_distance(output, target)


def spectral_distance(output: Tensor, target: Tensor) -> Tensor:
    """Mean absolute difference of the real and imaginary parts of the spectra of float32 `(N, C, H, W)`.

    The transform is linear, so that one of the difference does for both.
    """
    return torch.view_as_real(torch.fft.rfft2(output - target)).abs().mean()
