"""PRN and PReNet (Ren et al., CVPR 2019, arXiv 1901.09221): a shallow residual network called stage after stage.

Layers as in `csdwren/PReNet`. Published for removing rain; here the countable relatives of the progressive deblurring
network (JEIT210298), whose layers are not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.layers.protocols import ResidualEnd
from space.zoo.published_network import PublishedNetwork
from space.zoo.released_layout import ReleasedLayout

WIDTH = 32
BLOCKS = 5


@dataclass(frozen=True, slots=True)
class PReNetSettings:
    """``stages`` passes with the same weights; ``shared_block``: one residual block five times (the `_r` variants).

    ``lstm`` puts a convolutional LSTM after the first convolution (PReNet; without it PRN).
    """

    stages: int
    shared_block: bool
    lstm: bool


class ResidualBlock(nn.Module):
    """conv, ReLU, conv, ReLU, plus input, ReLU, at 32 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_first = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)
        self.conv_last = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(F.relu(self.conv_last(F.relu(self.conv_first(x)))) + x)


class _ConvLstm(nn.Module):
    """A convolutional LSTM: input `(N, 32, H, W)` and the state (hidden, cell), both zero before the first stage."""

    def __init__(self) -> None:
        super().__init__()
        self.input_gate = nn.Conv2d(2 * WIDTH, WIDTH, 3, padding=1)
        self.forget_gate = nn.Conv2d(2 * WIDTH, WIDTH, 3, padding=1)
        self.candidate = nn.Conv2d(2 * WIDTH, WIDTH, 3, padding=1)
        self.output_gate = nn.Conv2d(2 * WIDTH, WIDTH, 3, padding=1)

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
        hidden, cell = (torch.zeros_like(x), torch.zeros_like(x)) if state is None else state
        both = torch.cat((x, hidden), 1)
        kept = torch.sigmoid(self.forget_gate(both)) * cell
        cell = kept + torch.sigmoid(self.input_gate(both)) * torch.tanh(self.candidate(both))
        return torch.sigmoid(self.output_gate(both)) * torch.tanh(cell), cell


class PReNet(nn.Module, ResidualEnd):
    """`(N, 3, H, W)` to the same shape, images in [0, 1]: the estimate of the last stage.

    Each stage sees the degraded image and the estimate so far, and adds its output to the degraded image.
    """

    def __init__(self, shape: IOShape, settings: PReNetSettings) -> None:
        super().__init__()
        self.stages = settings.stages
        self.first = nn.Conv2d(shape.in_channels + shape.out_channels, WIDTH, 3, padding=1)
        self.lstm = _ConvLstm() if settings.lstm else None
        self.blocks = nn.ModuleList(ResidualBlock() for _ in range(1 if settings.shared_block else BLOCKS))
        self.last = nn.Conv2d(WIDTH, shape.out_channels, 3, padding=1)

    @property
    def residual_end(self) -> nn.Conv2d:
        """The last convolution, which gives the change of the image."""
        return self.last

    def forward(self, image: Tensor) -> Tensor:
        estimate, state = image, None
        for _ in range(self.stages):
            x = F.relu(self.first(torch.cat((image, estimate), 1)))
            if self.lstm is not None:
                state = self.lstm(x, state)
                x = state[0]
            for index in range(BLOCKS):
                x = self.blocks[index % len(self.blocks)](x)
            estimate = image + self.last(x)
        return estimate


def _prenet_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """`networks.py`: gates `conv_i`, `conv_f`, `conv_g`, `conv_o`; residual block i is `res_conv{i}`, from 1."""
    settings = entry.architecture.settings
    names = {"first": "conv0.0", "last": "conv.0"}
    for index in range(1 if settings.shared_block else 5):
        names[f"blocks.{index}.conv_first"] = f"res_conv{index + 1}.0"
        names[f"blocks.{index}.conv_last"] = f"res_conv{index + 1}.2"
    gates = {"input_gate": "conv_i", "forget_gate": "conv_f", "candidate": "conv_g", "output_gate": "conv_o"}
    return names | {f"lstm.{ours}": f"{theirs}.0" for ours, theirs in gates.items()}


CODE = "csdwren/PReNet, networks.py"


def _entry(name: str, title: str, shared_block: bool, lstm: bool) -> PublishedNetwork:
    return PublishedNetwork(
        name,
        title,
        "deblur",
        Architecture(IOShape(3, 3), "prenet", PReNetSettings(6, shared_block, lstm)),
        f"Ren et al., arXiv 1901.09221; {CODE}",
        module=PReNet,
        layouts=(ReleasedLayout(_prenet_names, CODE),),
        note="published for removing rain; here the countable relative of the progressive deblurring network",
    )


NETWORKS = (
    _entry("prn-r", "PRN_r (6 stages)", True, False),
    _entry("prn", "PRN (6 stages)", False, False),
    _entry("prenet-r", "PReNet_r (6 stages)", True, True),
    _entry("prenet", "PReNet (6 stages)", False, True),
)
