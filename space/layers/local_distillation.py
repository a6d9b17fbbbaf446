"""ZenoSR's local part (NTIRE 2026): blueprint separable convolutions with what each found distilled to a few channels.

It follows the blueprint separable residual network (Li et al., CVPRW 2022, arXiv 2205.05996).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from space.errors import UserError
from space.layers.bsconv import BsConv


class LocalDistillation(nn.Module):
    """``steps`` residual blueprint separable convolutions; the input and each result give half the channels to the end.

    `(N, width, H, W)` to the same shape. The input and all results but the last are distilled by 1x1 convolutions, the
    last by a grouped 3x3 one that reads pairs of channels.

    Raises:
        UserError: ``width`` is odd.
    """

    def __init__(self, width: int, steps: int = 3) -> None:
        super().__init__()
        if width % 2:
            raise UserError(f"the width of local distillation must be even, got {width}")
        half = width // 2
        self.activation = nn.GELU()
        self.steps = nn.ModuleList(BsConv(width, width) for _ in range(steps))
        self.distill = nn.ModuleList(
            (*(nn.Conv2d(width, half, 1) for _ in range(steps)), nn.Conv2d(width, half, 3, padding=1, groups=half))
        )
        self.fuse = nn.Conv2d((steps + 1) * half, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        found = [x]
        for step in self.steps:
            found.append(self.activation(step(found[-1]) + found[-1]))
        distilled = [self.activation(conv(each)) for conv, each in zip(self.distill, found, strict=True)]
        return self.fuse(torch.cat(distilled, 1))
