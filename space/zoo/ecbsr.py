"""ECBSR (Zhang et al., ACM MM 2021): plain 3x3 convolutions in deployment, edge-oriented branches in training.

Layers are those of `xindongzhang/ECBSR` (`models/ecb.py`, `ecbsr.py`, `plainsr.py`), without the identity branch,
which the repository leaves off by default. It sees luma only, and adds it to every channel before the pixel shuffle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.errors import UserError
from space.layers.edge_conv import EDGES, EdgeConv
from space.zoo.published_network import PublishedNetwork
from space.zoo.released_layout import ReleasedLayout, scale_by_shuffle


@dataclass(frozen=True, slots=True)
class EcbsrSettings:
    """``blocks`` (M) edge-oriented blocks of ``width`` (C) channels between the first and the last."""

    blocks: int
    width: int


class EdgeBlock(EdgeConv):
    """An edge-oriented convolution and its PReLU: `(N, in, H, W)` to `(N, out, H, W)`; it takes no negative factor."""

    def __init__(self, in_channels: int, out_channels: int, activated: bool = True) -> None:
        super().__init__(in_channels, out_channels)
        self.activation = nn.PReLU(out_channels) if activated else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(super().forward(x))

    def layer_by_layer(self, x: Tensor) -> Tensor:
        return self.activation(super().layer_by_layer(x))


class Ecbsr(nn.Module):
    """`(N, 1, H, W)` luma in [0, 1] to `(N, 1, scale*H, scale*W)`.

    Raises:
        UserError: the images have more than one channel: the input is added to every channel before the shuffle.
    """

    def __init__(self, shape: IOShape, settings: EcbsrSettings) -> None:
        super().__init__()
        if (shape.in_channels, shape.out_channels) != (1, 1):
            raise UserError(
                f"ECBSR works on luma: channels must be 1 to 1, got {shape.in_channels} to {shape.out_channels}"
            )
        width = settings.width
        self.body = nn.Sequential(
            EdgeBlock(1, width),
            *(EdgeBlock(width, width) for _ in range(settings.blocks)),
            EdgeBlock(width, shape.scale**2, activated=False),
        )
        self.shuffle = nn.PixelShuffle(shape.scale)

    def forward(self, luma: Tensor) -> Tensor:
        return self.shuffle(self.body(luma) + luma)


ECBSR_BRANCHES = ("conv1x1_3x3", "conv1x1_sbx", "conv1x1_sby", "conv1x1_lpl")  # 3x3 and the edges in our order


def _ecbsr_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """Block i is `backbone.{i}`; a branch's convolutions are its tensors `k0`, `b0` and `k1`, `b1`."""
    names: dict[str, str] = {}
    for index in range(entry.architecture.settings.blocks + 2):
        ours, theirs = f"body.{index}", f"backbone.{index}"
        names |= {f"{ours}.conv": f"{theirs}.conv3x3", f"{ours}.activation": f"{theirs}.act"}
        for position, branch in enumerate(ECBSR_BRANCHES):
            names[f"{ours}.branches.{position}"] = f"{theirs}.{branch}"
            names[f"{ours}.branches.{position}.mix.weight"] = f"{theirs}.{branch}.k0"
            names[f"{ours}.branches.{position}.mix.bias"] = f"{theirs}.{branch}.b0"
        names[f"{ours}.branches.0.conv.weight"] = f"{theirs}.{ECBSR_BRANCHES[0]}.k1"
        names[f"{ours}.branches.0.conv.bias"] = f"{theirs}.{ECBSR_BRANCHES[0]}.b1"
    return names


def layouts(blocks: int) -> tuple[ReleasedLayout, ...]:
    """Of the network with ``blocks`` edge-oriented blocks between the first and the last."""
    blocks += 2
    masks = tuple(
        f"backbone.{index}.{branch}.mask" for index in range(blocks) for branch in ECBSR_BRANCHES[-len(EDGES) :]
    )
    training = ReleasedLayout(
        _ecbsr_names,
        "xindongzhang/ECBSR, models/ecbsr.py and ecb.py",
        scale_by_shuffle(f"backbone.{blocks - 1}.conv3x3.bias", 1),
        pixel_range=255,
        unused=lambda scale: masks,
        form="training form, with its edge branches",
    )
    return training, replace(
        training,
        source="xindongzhang/ECBSR, models/plainsr.py",
        folded=True,
        unused=lambda scale: (),
        form="deploy form, plain 3x3 convolutions",
    )


def _entry(blocks: int, width: int) -> PublishedNetwork:
    name = f"ecbsr-m{blocks}c{width}"
    return PublishedNetwork(
        name,
        name.upper(),
        "sr",
        Architecture(IOShape(1, 1, 4), "ecbsr", EcbsrSettings(blocks, width)),
        "Zhang et al., ACM MM 2021",
        module=Ecbsr,
        layouts=layouts(blocks),
        note="on luma; deployed as plain 3x3 convolutions, trained with edge-oriented branches beside each",
    )


NETWORKS = (_entry(4, 8), _entry(4, 16), _entry(10, 32), _entry(16, 64))
