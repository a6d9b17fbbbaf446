"""The inverted residual of MalleNet's port (`Jensen-JZ/MalleNet-PyTorch`): MobileNetV2's, with PReLU."""

from __future__ import annotations

from torch import Tensor, nn

from space.blocks.batch_norm import Normed

EXPANSION = 5  # hidden channels per channel, in the port


class PReluInverted(nn.Module):
    """1x1 to ``expansion`` times the width, depthwise 3x3, 1x1 back, plus input: `(N, width, H, W)` to the same shape.

    Args:
        norm: batch norm after each convolution.
        activations: PReLUs (one slope each, 0 at first): 1 after the expansion only, as the port runs; 2 after the
            depthwise convolution too, as MobileNetV2 has it.
    """

    def __init__(self, width: int, norm: bool, activations: int = 2, expansion: int = EXPANSION) -> None:
        super().__init__()
        hidden = expansion * width
        convolutions = (
            nn.Conv2d(width, hidden, 1),
            nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden),
            nn.Conv2d(hidden, width, 1),
        )
        layers: list[nn.Module] = []
        for index, conv in enumerate(convolutions):
            layers.append(Normed(conv, conv.out_channels) if norm else conv)
            if index < activations:
                layers.append(nn.PReLU(init=0))
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)
