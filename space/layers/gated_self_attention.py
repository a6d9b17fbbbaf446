"""Self-attention among channels (VSCINet and ZenoSR, NTIRE 2026), there GSA.

Each channel is one token, as in Restormer (Zamir et al., CVPR 2022, arXiv 2111.09881): work and memory grow with the
pixels, not with their square.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from space.layers.unit_length import unit_length
from space.layers.windows import joined_windows, split_into_windows

WINDOW = 72  # pixels, of training patches at x3 in the released code, which keeps it at x4
PIXELS = (2, 3)


class GatedSelfAttention(nn.Module):
    """GSA: every channel becomes a mean of all, weighted by their likeness over the image or a window of it.

    `(N, width, H, W)` to the same shape, without biases. Four times as many channels from a 1x1 convolution are two
    halves, one of them through a depthwise 3x3, multiplied: queries, and values that are the keys too.

    Args:
        window: side in pixels of the windows in eval mode, which overlap and are averaged (``space.layers.windows``);
            in training, attention is over the whole patch.
    """

    def __init__(self, width: int, window: int = WINDOW) -> None:
        super().__init__()
        self.window = window
        self.expand = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.depthwise = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width, bias=False)
        self.temperature = nn.Parameter(torch.ones(1, 1))
        self.project = nn.Conv2d(width, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        local, gate = self.expand(x).chunk(2, 1)
        gated = self.depthwise(local) * gate
        if self.training:
            return self.project(self.attended(gated))
        height, width = x.shape[2:]
        windows = self.attended(split_into_windows(gated, self.window))
        return self.project(joined_windows(windows, (height, width), self.window))

    def attended(self, gated: Tensor) -> Tensor:
        """Queries and values `(N, 2 * width, H, W)` to `(N, width, H, W)`."""
        query, value = gated.chunk(2, 1)
        return mean_of_channels(query, value, self.temperature)


def mean_of_channels(query: Tensor, value: Tensor, temperature: Tensor) -> Tensor:
    """For each channel of ``query`` the mean of those of ``value``, weighted by their likeness to it.

    Both are `(N, C, H, W)`, as is the result; the likeness is the softmax of ``temperature`` times the cosine over all
    pixels.
    """
    key = unit_length(value, PIXELS).flatten(2)  # (N, C, HW)
    likeness = torch.bmm(unit_length(query, PIXELS).flatten(2), key.transpose(1, 2))  # (N, C, C)
    weights = (likeness * temperature).softmax(-1)
    return torch.bmm(weights, value.flatten(2)).view(value.shape)
