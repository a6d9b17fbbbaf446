"""The frame of every searched network: its ends, and the places for MalleConv and attention.

image, mean shift, stem, *trunk*, long skip, upsampler, input skip, mean shift, image. A backbone is a trunk.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

from torch import Tensor, nn

from space.architecture import EndsSpec, IOShape, MalleSpec, UpsamplerSpec
from space.layers.attention import KINDS, attention, kinds_of
from space.layers.image_ends import InputSkip, MeanShift
from space.layers.malle import MalleResidual
from space.layers.padding import Cut, FillUp
from space.layers.protocols import DividesSides, ResidualEnd
from space.layers.upsamplers import upsampler
from space.parts import Make


class Trunk(nn.Module, ABC):
    """Features and their image to features: what a backbone adds to the ends.

    A trunk names its places and hands its features to ``ends.insert(place, x)`` at each; a place where nothing stands
    costs nothing. It is given what stands at ``head`` already.
    """

    MALLE_PLACES: ClassVar[Mapping[str, str]] = {"head": "head", "middle": "middle", "tail": "tail"}  # by placement
    ATTENTION_PLACES: ClassVar[Mapping[str, str]] = dict.fromkeys(KINDS, "tail")  # by kind of attention
    LONG_SKIP: ClassVar[Literal["none", "stem", "head"]] = "none"  # whose features are added to the trunk's
    # In its upsampler, the convolution whose result is added to the input that the trunk carries; "" where it does not.
    ADDS_TO_CARRIED: ClassVar[str] = ""

    def __init__(self, width: int, multiple: int = 1) -> None:
        """``multiple`` is what the sides of its input must be multiples of."""
        super().__init__()
        self.width = width
        self.multiple = multiple

    def width_at(self, place: str) -> int:
        """Channels at ``place``."""
        return self.width

    def malle_at(self, spec: MalleSpec, make: Make) -> dict[str, nn.Module]:
        """The MalleConvs of ``spec`` by place: one, or one at each place (``all``)."""
        places = (place for value, place in self.MALLE_PLACES.items() if spec.placement in (value, "all"))
        return {place: make(MalleResidual, self.width_at(place), spec) for place in places}

    def attention_at(self, kind: str, make: Make) -> nn.Module:
        """The attention of one ``kind``, for its place."""
        return make(attention, kind, self.width_at(self.ATTENTION_PLACES[kind]))

    def make_stem(self, in_channels: int, make: Make) -> nn.Module:
        """From the image to ``width`` channels."""
        return make(nn.Conv2d, in_channels, self.width, 3, padding=1)

    def make_upsampler(self, spec: UpsamplerSpec, out_channels: int, scale: int, make: Make) -> nn.Module:
        """From ``width`` channels to the image, with its last convolution as ``last``."""
        return make(upsampler, spec, self.width, out_channels, scale)

    @abstractmethod
    def forward(self, x: Tensor, image: Tensor, ends: RestorationNet) -> Tensor:
        """`(N, width, H, W)` features of the `(N, in, H, W)` ``image`` to features of the same shape."""


class RestorationNet(nn.Module, ResidualEnd, DividesSides):
    """`(N, in, H, W)` to `(N, out, scale*H, scale*W)`, float, images in [0, 1].

    Sides that are not multiples of ``trunk.multiple`` are padded at the start and cut at the end.
    """

    def __init__(self, shape: IOShape, ends: EndsSpec, trunk: Trunk, make: Make) -> None:
        super().__init__()
        if ends.mean_shift:
            self.shift_in, self.shift_out = make(MeanShift, -1), make(MeanShift, +1)
        if trunk.multiple > 1:
            self.fill, self.cut = make(FillUp, trunk.multiple), make(Cut, shape.scale)
        self.stem = trunk.make_stem(shape.in_channels, make)
        self.trunk = trunk
        self.places: dict[str, list[tuple[str, str]]] = {}  # by place, the modules that stand there, by name
        if ends.malle:
            self.malle = nn.ModuleDict(trunk.malle_at(ends.malle, make))
            for place in self.malle:
                self.places.setdefault(place, []).append(("malle", place))
        if kinds := kinds_of(ends.attention):
            self.attention = nn.ModuleDict()
            for kind in kinds:
                self.attention[kind] = trunk.attention_at(kind, make)
                self.places.setdefault(trunk.ATTENTION_PLACES[kind], []).append(("attention", kind))
        self.upsampler = trunk.make_upsampler(ends.upsampler, shape.out_channels, shape.scale, make)
        skip = ends.input_skip
        if skip == "none" and trunk.ADDS_TO_CARRIED:  # not run: what the network starts as
            skip = "nearest" if shape.scale > 1 else "identity"
        if skip != "none":
            self.skip = make(InputSkip, skip, shape.scale, shape.out_channels)
        if ends.clipped:
            self.clip = make(nn.Hardtanh, 0.0, 1.0)
        self.ends = ends

    @property
    def multiple(self) -> int:
        """That of the trunk, times that of an attention, which may stand where the trunk is coarsest."""
        attentions = self.attention.modules() if kinds_of(self.ends.attention) else ()
        return self.trunk.multiple * math.lcm(*(part.multiple for part in attentions if isinstance(part, DividesSides)))

    @property
    def adds_input(self) -> bool:
        return self.ends.input_skip != "none"

    @property
    def residual_end(self) -> nn.Module | None:
        name = "last" if self.adds_input else self.trunk.ADDS_TO_CARRIED
        return self.upsampler.get_submodule(name) if name else None

    def insert(self, place: str, x: Tensor) -> Tensor:
        """``x`` after the MalleConv and the attention at ``place``, if any: `(N, C, H, W)` to the same shape."""
        for kind, name in self.places.get(place, ()):
            x = (self.malle if kind == "malle" else self.attention)[name](x)
        return x

    def forward(self, image: Tensor) -> Tensor:
        ends, trunk = self.ends, self.trunk
        if ends.mean_shift:
            image = self.shift_in(image)
        full = self.fill(image) if trunk.multiple > 1 else image

        stem = self.stem(full)
        head = self.insert("head", stem)
        x = trunk(head, full, self)
        if trunk.LONG_SKIP != "none":
            x = x + (stem if trunk.LONG_SKIP == "stem" else head)
        output = self.upsampler(x)

        if trunk.multiple > 1:
            output = self.cut(output, image)
        if self.adds_input:
            output = output + self.skip(image)
        if ends.mean_shift:
            output = self.shift_out(output)
        return self.clip(output) if ends.clipped else output
