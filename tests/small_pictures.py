"""Two little photographs and a network that changes nothing, so that tests of tasks need no files and no training."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from evaluators.images.folders import NamedImage


def photographs() -> tuple[NamedImage, NamedImage]:
    """Squares of random colours, 144x168 pixels."""
    generator = np.random.default_rng(0)
    first, second = (
        generator.integers(40, 220, (12, 14, 3)).repeat(12, 0).repeat(12, 1).astype(np.uint8) for _ in range(2)
    )
    return NamedImage("a", first), NamedImage("b", second)


class FirstChannels(nn.Module):
    """Gives back the image without its map, enlarged by repetition."""

    def __init__(self, channels: int, scale: int) -> None:
        super().__init__()
        self.channels, self.scale = channels, scale

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, : self.channels].repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)
