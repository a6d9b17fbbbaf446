"""A transformer block whose tokens are channels (VSCINet and ZenoSR, NTIRE 2026), there GCAB."""

from __future__ import annotations

from torch import Tensor, nn

from space.layers.gated_feed_forward import GatedFeedForward
from space.layers.gated_self_attention import WINDOW, GatedSelfAttention
from space.layers.layer_norm import ChannelLayerNorm


class ChannelTransformer(nn.Module):
    """Gated self-attention, then gated feed-forward, each on normalised features and added to them.

    `(N, width, H, W)` to the same shape.
    """

    def __init__(self, width: int, expansion: float = 2, window: int = WINDOW) -> None:
        super().__init__()
        self.attention_norm = ChannelLayerNorm(width)
        self.attention = GatedSelfAttention(width, window)
        self.feed_forward_norm = ChannelLayerNorm(width)
        self.feed_forward = GatedFeedForward(width, expansion)

    def forward(self, x: Tensor) -> Tensor:
        x = self.attention(self.attention_norm(x)) + x
        return self.feed_forward(self.feed_forward_norm(x)) + x
