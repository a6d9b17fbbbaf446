"""The gated feed-forward network of Restormer (Zamir et al., CVPR 2022, arXiv 2111.09881), there GDFN."""

from __future__ import annotations

from torch import Tensor, nn


class GatedFeedForward(nn.Module):
    """1x1 up, 3x3 depthwise, GELU of one half times the other, 1x1 down.

    `(N, width, H, W)` to the same shape. ``expansion`` is the share of hidden channels after the gate; twice as many
    stand before it. ``activation`` is that of the gate, GELU by default.
    """

    def __init__(
        self, width: int, expansion: float = 2, bias: bool = False, activation: nn.Module | None = None
    ) -> None:
        super().__init__()
        hidden = int(width * expansion)
        self.up = nn.Conv2d(width, 2 * hidden, 1, bias=bias)
        self.depthwise = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=bias)
        self.activation = nn.GELU() if activation is None else activation
        self.down = nn.Conv2d(hidden, width, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.depthwise(self.up(x)).chunk(2, 1)
        return self.down(self.activation(gate) * value)
