"""PlainUSR (Wang et al., ACCV 2024): a U-Net over channels instead of sides, of plain 3x3 convolutions with attention.

Layers are those of `icandle/PlainUSR` (`2024_PlainUSR_ACCV/archs`, MIT). The inner a block lies, the fewer of the first
channels it changes; the others wait beside it. Three channels of colour run beside all blocks: they start as the input
and, behind the last convolution, as its nearest enlargement.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.errors import UserError
from space.layers.local_importance_attention import LocalImportanceAttention
from space.layers.protocols import Foldable, StartsItself
from space.layers.rep_mb_conv import RepMBConv
from space.layers.weight_and_bias import weight_and_bias
from space.zoo.measured_result import measured
from space.zoo.published_network import PublishedNetwork
from space.zoo.released_layout import ReleasedLayout, scale_by_shuffle
from space.zoo.sources import PLAINUSR

SLOPE = 0.05  # of the leaky ReLU
BLOCKS = ("block1", "block2", "blockm", "block3", "block4")  # the authors' names, in running order


@dataclass(frozen=True, slots=True)
class PlainUsrSettings:
    """``width`` channels, of which the inner blocks change ``middle`` and ``inner``; the attention has ``hidden``."""

    width: int
    middle: int
    inner: int
    hidden: int

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each block, in running order."""
        return self.width, self.middle, self.inner, self.middle, self.width


class _GateMix(nn.Module):
    """The first channel, from which the attention after it takes its gate, replaced by a 1x1 convolution of all.

    `(N, C, H, W)` to the same shape. It starts as their mean.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.conv(x), x[:, 1:]), 1)


class _PlainBlock(Foldable, StartsItself, nn.Module):
    """Two 3x3 convolutions, leaky ReLU between, and attention. `(N, channels, H, W)` to the same shape."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.first = RepMBConv(channels)
        self.second = RepMBConv(channels)
        self.gate: _GateMix | None = _GateMix(channels)
        self.attention = LocalImportanceAttention(channels, hidden)

    @torch.no_grad()
    def reset(self) -> None:
        if self.gate is not None and not self.gate.conv.weight.is_meta:
            weight, bias = weight_and_bias(self.gate.conv)
            weight.fill_(1 / weight.shape[1])
            bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(F.leaky_relu(self.first(x), SLOPE))
        return self.attention(x if self.gate is None else self.gate(x))

    @torch.no_grad()
    def fold(self) -> None:
        """Become two 3x3 convolutions: what the gate mixes is the second one's first channel."""
        self.first.fold()
        self.second.fold()
        if self.gate is None:
            return
        assert self.second.plain is not None
        (weight, bias), (mix, shift) = weight_and_bias(self.second.plain), weight_and_bias(self.gate.conv)
        weight[0] = torch.einsum("m,mihw->ihw", mix[0, :, 0, 0], weight)
        bias[0] = mix[0, :, 0, 0] @ bias + shift[0]
        self.gate = None


class PlainUsr(StartsItself, nn.Module):
    """`(N, 3, H, W)` in [0, 1] to `(N, 3, scale*H, scale*W)`.

    Raises:
        UserError: output channels that are not the input's, or inner blocks that are wider than outer ones.
    """

    def __init__(self, shape: IOShape, settings: PlainUsrSettings) -> None:
        super().__init__()
        if shape.in_channels != shape.out_channels:
            raise UserError(
                f"PlainUSR must give the channels that it takes, got {shape.in_channels} to {shape.out_channels}"
            )
        if not settings.width > settings.middle > settings.inner:
            raise UserError(f"PlainUSR must have fewer channels in each inner block, got {settings.widths[:3]}")
        self.colours = shape.in_channels
        self.widths = settings.widths
        channels = settings.width + self.colours
        self.head = nn.Conv2d(self.colours, channels, 3, padding=1)
        self.blocks = nn.ModuleList(_PlainBlock(width, settings.hidden) for width in settings.widths)
        self.tail = nn.Sequential(
            nn.Conv2d(channels, self.colours * shape.scale**2, 3, padding=1), nn.PixelShuffle(shape.scale)
        )

    @torch.no_grad()
    def reset(self) -> None:
        """Add the colours as the authors start them to what was drawn."""
        (head, _), (tail, _) = weight_and_bias(self.head), weight_and_bias(self.tail[0])
        if head.is_meta:
            return
        colours = torch.eye(self.colours, dtype=head.dtype, device=head.device)
        head[-self.colours :, :, 1, 1] += colours
        tail[:, -self.colours :, 1, 1] += colours.repeat_interleave(len(tail) // self.colours, 0)

    def forward(self, image: Tensor) -> Tensor:
        x = self.head(image)
        waiting: list[Tensor] = []
        outer = x.shape[1]
        for block, width in zip(self.blocks, self.widths, strict=True):
            if width < outer:
                x, beside = x.split((width, outer - width), 1)
                waiting.append(beside)
            elif width > outer:
                x = torch.cat((x, waiting.pop()), 1)
            x, outer = block(x), width
        return self.tail(torch.cat((x, waiting.pop()), 1))


def _deploy_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """Convolutions and attention are items of each block's `body`; in the attention they are items of its `body`."""
    names: dict[str, str] = {}
    for index, block in enumerate(BLOCKS):
        ours, body = f"blocks.{index}", f"{block}.body"
        names |= {f"{ours}.first.plain": f"{body}.0", f"{ours}.second.plain": f"{body}.2"}
        names[f"{ours}.attention.importance"] = f"{body}.3.body"
    return names


def _training_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """The same before folding: each convolution has its parts, and the mix for the gate follows the second one."""
    parts = {
        "expand": "expand_conv",
        "wide": "fea_conv",
        "reduce": "reduce_conv",
        "gate_input": "se.tensor",
        "gate.0": "se.se.1",
        "gate.2": "se.se.3",
    }
    names: dict[str, str] = {}
    for index, block in enumerate(BLOCKS):
        ours, body = f"blocks.{index}", f"{block}.body"
        for conv, position in (("first", 0), ("second", 2)):
            names |= {f"{ours}.{conv}.{part}": f"{body}.{position}.{theirs}" for part, theirs in parts.items()}
        names |= {f"{ours}.gate": f"{body}.3", f"{ours}.attention.importance": f"{body}.4.body"}
    return names


DEPLOYED = ReleasedLayout(
    _deploy_names,
    "icandle/PlainUSR, 2024_PlainUSR_ACCV/archs/PlainUSR_inference_arch.py",
    scale_by_shuffle("tail.0.bias", 3),
    folded=True,
    form="deploy form, plain 3x3 convolutions",
)
TRAINED = replace(
    DEPLOYED,
    renamed=_training_names,
    source="icandle/PlainUSR, 2024_PlainUSR_ACCV/archs/PlainUSR_train_arch.py",
    folded=False,
    form="training form, gated bottlenecks",
)


MEASURED = (
    *measured("PlainUSR-S", "plainusr-s-x4.pth", PLAINUSR, {"Set5": 31.57, "Set14": 28.17}, params=68_612),
    *measured("PlainUSR-M", "plainusr-m-x4.pth", PLAINUSR, {"Set5": 31.79, "Set14": 28.38}, params=165_492),
)


def _entry(name: str, title: str, settings: PlainUsrSettings) -> PublishedNetwork:
    return PublishedNetwork(
        name,
        title,
        "sr",
        Architecture(IOShape(3, 3, 4), "plainusr", settings),
        "Wang et al., arXiv 2409.13435",
        module=PlainUsr,
        layouts=(DEPLOYED, TRAINED),
        measured=tuple(result for result in MEASURED if result.network == title),
        note="deployed as plain 3x3 convolutions with attention; trained with gated bottlenecks in their place",
    )


NETWORKS = (
    _entry("plainusr-s", "PlainUSR-S", PlainUsrSettings(32, 16, 8, 4)),
    _entry("plainusr-m", "PlainUSR-M", PlainUsrSettings(48, 32, 16, 8)),
    _entry("plainusr", "PlainUSR", PlainUsrSettings(64, 48, 32, 16)),
)
