"""Two streams, of features and of colours, that are deployed as one chain of 3x3 convolutions (ETDS, Chao et al.,
CVPR 2023).

The paper's layers are ReLU and a convolution of both streams (``space.layers.colour_stream``), which is what the block
``conv`` is here. Ours are the identity in the weights of its features, other blocks, past which the colours go, and the
start at exactly the enlarged input: the authors' last convolution of features starts as drawn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

from torch import Tensor, nn

from space import knobs as k
from space.architecture import CarriesInput, IOShape, MalleSpec, Nested, UpsamplerSpec
from space.backbones.ends import INPUT_SKIP, UPSAMPLER, ends_knobs
from space.backbones.plain import DEPTH
from space.backbones.restoration_net import RestorationNet, Trunk
from space.backbones.row import ROW_KNOBS, row, row_values
from space.blocks import BLOCKS, block, block_knobs
from space.blocks.block import BlockSpec
from space.blocks.conv import ConvSpec
from space.layers.colour_stream import StreamUpsampler, beside, beside_mixed, stream_layer, stream_stem
from space.parts import Make

# Where the image is enlarged, it is the stream that carries it to the output.
OWN_SKIP = replace(INPUT_SKIP, values=("none",))
ENDS = tuple(knob for knob in ends_knobs(OWN_SKIP) if knob.name != UPSAMPLER.name)
ROWS = (*block_knobs(ConvSpec.kind), *ROW_KNOBS[len(block_knobs()) :])
KNOBS = (k.WIDTH, DEPTH, *ROWS, *ENDS)


@dataclass(frozen=True, slots=True)
class StreamsSettings(CarriesInput):
    """``blocks`` run in order; ``width`` is that of the features, to which the colours come."""

    NESTED: ClassVar[Nested] = {"blocks": BLOCKS}

    width: int
    blocks: tuple[BlockSpec, ...]


def settings_from_knobs(knobs: Mapping[str, Any]) -> StreamsSettings:
    """The settings that ``knobs`` describe."""
    return StreamsSettings(width=knobs["width"], blocks=row(knobs["blocks"], knobs["width"], knobs))


def values_of(settings: StreamsSettings) -> dict[str, k.Value]:
    """Knob values from which ``settings_from_knobs`` gives ``settings``, if any do."""
    return {"width": settings.width, "blocks": len(settings.blocks), **row_values(settings.blocks, KNOBS)}


class StreamsTrunk(Trunk):
    """Layers of both streams in a row. Other blocks, a MalleConv and attention change the features alone.

    Where the last layer is a ``conv`` with its activation, a ReLU stands before the last convolution too.
    """

    ADDS_TO_CARRIED: ClassVar[str] = "last.feature"

    def __init__(self, shape: IOShape, settings: StreamsSettings, make: Make) -> None:
        super().__init__(shape.out_channels + settings.width)
        self.streams = (shape.out_channels, settings.width)  # channels of colours and of features
        self.layers = nn.ModuleList(self._layer(spec, make) for spec in settings.blocks)
        last = settings.blocks[-1]
        self.activates = last.kind == ConvSpec.kind and last.activated
        if self.activates:
            self.activation = make(nn.ReLU)

    def _layer(self, spec: BlockSpec, make: Make) -> nn.Module:
        if spec.kind == ConvSpec.kind:
            return make(stream_layer, *self.streams, spec.activated)
        return self._beside(make)(block, spec)

    def _beside(self, make: Make) -> Make:
        """``make`` of parts that change the features alone."""
        return partial(make, beside, *self.streams)

    def width_at(self, place: str) -> int:
        return self.streams[1]

    def malle_at(self, spec: MalleSpec, make: Make) -> dict[str, nn.Module]:
        return super().malle_at(spec, self._beside(make))

    def attention_at(self, kind: str, make: Make) -> nn.Module:
        return super().attention_at(kind, partial(make, beside_mixed, *self.streams))

    def make_stem(self, in_channels: int, make: Make) -> nn.Module:
        return make(stream_stem, in_channels, *self.streams)

    def make_upsampler(self, spec: UpsamplerSpec, out_channels: int, scale: int, make: Make) -> nn.Module:
        return make(StreamUpsampler, *self.streams, scale)

    def forward(self, x: Tensor, image: Tensor, ends: RestorationNet) -> Tensor:
        for index, layer in enumerate(self.layers):
            if index == len(self.layers) // 2:
                x = ends.insert("middle", x)
            x = layer(x)
        return ends.insert("tail", self.activation(x) if self.activates else x)
