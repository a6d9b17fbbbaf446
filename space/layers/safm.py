"""Spatially-adaptive feature modulation (SAFM; Sun et al., ICCV 2023, arXiv 2302.13800)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.errors import UserError
from space.layers.pooling import CoarseMaxPool


class Safm(nn.Module):
    """The input times what its channels, seen at several scales, make of it. `(N, C, H, W)` to the same shape.

    Channel group i of ``levels`` is max-pooled to 1/2^i of the sides, filtered by a depthwise 3x3 and enlarged to the
    nearest pixel; a 1x1 convolution and GELU over all groups give the factor.

    Raises:
        UserError: ``levels`` does not divide ``channels``.
    """

    def __init__(self, channels: int, levels: int = 4) -> None:
        super().__init__()
        if channels % levels:
            raise UserError(f"SAFM channels must be a multiple of its {levels} levels, got {channels}")
        group = channels // levels
        self.pools = nn.ModuleList(CoarseMaxPool(2**level) if level else nn.Identity() for level in range(levels))
        self.depthwise = nn.ModuleList(nn.Conv2d(group, group, 3, padding=1, groups=group) for _ in range(levels))
        self.aggregate = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        finest, *coarser = (
            depthwise(pool(part))
            for pool, depthwise, part in zip(self.pools, self.depthwise, x.chunk(len(self.depthwise), 1), strict=True)
        )
        enlarged = [F.interpolate(part, size=x.shape[2:], mode="nearest") for part in coarser]
        return F.gelu(self.aggregate(torch.cat((finest, *enlarged), 1))) * x
