"""Gated self-attention among channels in pieces that weights of any width share.

It computes what ``GatedSelfAttention`` does without windows. There the halves of what one convolution gives are split
once more, so that the first channels of a wide one are not those of a narrow one.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from space.layers.gated_self_attention import mean_of_channels


class ChannelSelfAttention(nn.Module):
    """Every channel becomes a mean of all, weighted by their likeness over the whole image, in training a patch.

    `(N, width, H, W)` to the same shape, without biases: 5 width**2 + 18 width + 1 weights.

    Args:
        bound: at which the gate of values is cut off on both sides of zero.
    """

    def __init__(self, width: int, bound: float | None = None) -> None:
        super().__init__()
        self.bound = nn.Identity() if bound is None else nn.Hardtanh(-bound, bound)

        def depthwise() -> nn.Conv2d:
            return nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False)

        self.expand = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.query, self.value = depthwise(), depthwise()
        self.temperature = nn.Parameter(torch.ones(1, 1))
        self.project = nn.Conv2d(width, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        local_query, local_value, query_gate, value_gate = self.expand(x).chunk(4, 1)
        query, value = self.query(local_query) * query_gate, self.value(local_value) * self.bound(value_gate)
        return self.project(mean_of_channels(query, value, self.temperature))
