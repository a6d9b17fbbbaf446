"""ETDS (Chao et al., CVPR 2023): two streams in training, one plain chain of 3x3 convolutions in deployment.

Layers are those of `ECNUSR/ETDS` (`core/archs/ir/ETDS/arch.py`, Apache-2.0). A stream of features and a narrow one of
colours run side by side; the second starts as the identity, feeds the first at every layer, and becomes the nearest
enlargement of the input. Side by side in one wider convolution, they are a chain without skips and additions. The
chain ends in a 1x1 convolution between two ReLU, which clips to [0, 1]: min(x, 1) is 1 - relu(1 - x).

M6C32 is ETDS-M in the authors' plots, M7C48 ETDS-L. Their figures are of pictures cut to sides that are multiples of
12, 0.02 dB below those of the whole pictures of Set5 and Set14.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.architecture import Architecture, IOShape
from space.errors import UserError
from space.layers.protocols import Foldable, StartsItself
from space.layers.weight_and_bias import convolution_of, weight_and_bias
from space.zoo.published_network import PublishedNetwork
from space.zoo.published_result import Size, reported
from space.zoo.released_layout import ReleasedLayout, scale_by_shuffle
from space.zoo.sources import PARAMS_COUNTED

ROUNDED_FOR_3 = {3: 1}  # by scale, channels that the authors add to the last convolution: 28 are a multiple of 4


@dataclass(frozen=True, slots=True)
class EtdsSettings:
    """``layers`` (M) between the first convolution and the last; ``width`` (C) channels, ``colours`` among them."""

    layers: int
    width: int
    colours: int = 3


def side_by_side(rows: Iterable[Iterable[Tensor]]) -> Tensor:
    """One weight `(sum out, sum in, 3, 3)` out of a matrix of weights."""
    return torch.cat([torch.cat(list(row), 1) for row in rows], 0)


class Etds(Foldable, StartsItself, nn.Module):
    """`(N, 3, H, W)` in [0, 1] to `(N, 3, scale*H, scale*W)`; clipped to [0, 1] except in training.

    Raises:
        UserError: output channels that are not the input's, or fewer colours than those.
    """

    def __init__(self, shape: IOShape, settings: EtdsSettings) -> None:
        super().__init__()
        if shape.in_channels != shape.out_channels:
            raise UserError(
                f"ETDS must give the channels that it takes, got {shape.in_channels} to {shape.out_channels}"
            )
        if not settings.width > settings.colours >= shape.in_channels:
            raise UserError(
                f"ETDS must have at least {shape.in_channels} colours and more channels, got "
                f"{settings.colours} of {settings.width}"
            )
        self.scale = shape.scale
        features, colours = settings.width - settings.colours, settings.colours
        out = shape.out_channels * shape.scale**2

        def layers(inp: int, outp: int) -> nn.ModuleList:
            return nn.ModuleList(nn.Conv2d(inp, outp, 3, padding=1) for _ in range(settings.layers))

        self.first = nn.Conv2d(shape.in_channels, features, 3, padding=1)
        self.first_colour = nn.Conv2d(shape.in_channels, colours, 3, padding=1)
        self.features, self.colours = layers(features, features), layers(colours, colours)
        self.crossings = layers(colours, features)
        self.last = nn.Conv2d(features, out, 3, padding=1)
        self.last_colour = nn.Conv2d(colours, out, 3, padding=1)
        self.chain: nn.ModuleList = nn.ModuleList()
        self.clip: nn.Conv2d | None = None
        self.shuffle = nn.PixelShuffle(shape.scale)
        self.reset()

    @torch.no_grad()
    def reset(self) -> None:
        """The colour stream as the authors start it: the input, enlarged by its nearest pixels, and no crossing."""
        if self.last_colour.weight.is_meta:  # where only shapes count
            return
        for conv in (self.first_colour, *self.colours):
            nn.init.dirac_(weight_and_bias(conv)[0])
        out, colours = self.last_colour.weight.shape[:2]
        self.last_colour.weight.zero_()
        self.last_colour.weight[:, :, 1, 1] = torch.eye(out // self.scale**2, colours).repeat_interleave(
            self.scale**2, 0
        )
        for conv in self.crossings:
            weight_and_bias(conv)[0].zero_()
        for conv in (self.first_colour, *self.colours, self.last_colour, *self.crossings):
            weight_and_bias(conv)[1].zero_()

    def forward(self, image: Tensor) -> Tensor:
        if self.clip is not None:
            x = image
            for conv in self.chain:
                x = F.relu(conv(x))
            x = F.relu(self.clip(x))
            return self.shuffle(x[:, :-1] if self.scale in ROUNDED_FOR_3 else x)
        x, colour = F.relu(self.first(image)), F.relu(self.first_colour(image))
        for feature, crossing, own in zip(self.features, self.crossings, self.colours, strict=True):
            x, colour = F.relu(feature(x) + crossing(colour)), F.relu(own(colour))
        y = self.shuffle(self.last(x) + self.last_colour(colour))
        return y if self.training else y.clamp(0, 1)

    @torch.no_grad()
    def fold(self) -> None:
        """Become the plain chain; what the network computes in evaluation stays the same."""
        if self.clip is not None:
            return
        (first, shift), (colour, colour_shift) = map(weight_and_bias, (self.first, self.first_colour))
        convs = [convolution_of(side_by_side(([first], [colour])), torch.cat((shift, colour_shift)))]
        for layer in zip(self.features, self.crossings, self.colours, strict=True):
            (feature, shift), (crossing, crossing_shift), (own, own_shift) = map(weight_and_bias, layer)
            none = own.new_zeros(len(own), *feature.shape[1:])
            weight = side_by_side(((feature, crossing), (none, own)))
            convs.append(convolution_of(weight, torch.cat((shift + crossing_shift, own_shift))))
        (last, shift), (colour, colour_shift) = map(weight_and_bias, (self.last, self.last_colour))
        weight, bias = side_by_side(([last, colour],)), shift + colour_shift
        extra = ROUNDED_FOR_3.get(self.scale, 0)
        weight = torch.cat((weight, weight.new_zeros(extra, *weight.shape[1:])))
        convs.append(convolution_of(-weight, torch.cat((1 - bias, bias.new_zeros(extra)))))
        channels = len(weight)
        ones = weight.new_ones(channels)
        self.clip = convolution_of(-torch.diag_embed(ones)[:, :, None, None], ones)
        self.chain = nn.ModuleList(convs)
        self.features = self.colours = self.crossings = nn.ModuleList()
        del self.first, self.first_colour, self.last, self.last_colour


def _etds_names(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """The plain chain of `ETDSForInference`, with the two-fold rectification that clips to [0, 1] as `conv_clip`."""
    layers = entry.architecture.settings.layers
    chain = {f"chain.{index + 1}": f"backbone_convs.{index}" for index in range(layers)}
    return {"chain.0": "conv_first", **chain, f"chain.{layers + 1}": "conv_last", "clip": "conv_clip"}


def _etds_streams(entry: PublishedNetwork, scale: int) -> Mapping[str, str]:
    """The two streams of class `ETDS`, before its conversion."""
    return {
        "first": "conv_first",
        "first_colour": "conv_residual_first",
        "features": "backbone_convs",
        "colours": "residual_convs",
        "crossings": "add_residual_convs",
        "last": "conv_last",
        "last_colour": "conv_residual_last",
    }


ETDS_SOURCE = "ECNUSR/ETDS, core/archs/ir/ETDS/arch.py"
LAYOUTS = (
    ReleasedLayout(
        _etds_names,
        ETDS_SOURCE,
        scale_by_shuffle("conv_last.bias", 3, ROUNDED_FOR_3),
        folded=True,
        form="deploy form, one plain chain",
    ),
    ReleasedLayout(
        _etds_streams, ETDS_SOURCE, scale_by_shuffle("conv_last.bias", 3), form="training form, two streams"
    ),
)
RESULTS = reported(
    "ETDS-L",
    "sr",
    "ETDS (CVPR 2023), as shown in ECNUSR/ETDS asserts/tables/table-all.png",
    {"Set5": 31.69, "Set14": 28.31, "B100": 27.37, "Urban100": 25.47},
    Size(169_968),
    scale=4,
    note=f"trained on DIV2K; {PARAMS_COUNTED}",
)


def _entry(name: str, title: str, layers: int, width: int) -> PublishedNetwork:
    return PublishedNetwork(
        name,
        title,
        "sr",
        Architecture(IOShape(3, 3, 4), "etds", EtdsSettings(layers, width)),
        "Chao et al., CVPR 2023",
        module=Etds,
        layouts=LAYOUTS,
        results=tuple(result for result in RESULTS if result.network == title),
        note="deployed as plain 3x3 convolutions and a 1x1 that clips; trained as two streams",
    )


NETWORKS = (
    _entry("etds-m5c16", "ETDS M5C16", 5, 16),
    _entry("etds-m4c32", "ETDS M4C32", 4, 32),
    _entry("etds-m6c32", "ETDS M6C32", 6, 32),
    _entry("etds-l", "ETDS-L", 7, 48),
)
