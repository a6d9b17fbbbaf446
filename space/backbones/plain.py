"""Plain residual trunk: stem, a row of residual blocks, one convolution, a long skip, an upsampler (EDSR's outline)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from space import knobs as k
from space.architecture import LATER, BlockSpec, IOShape, MalleSpec, UpsamplerSpec
from space.blocks.attention import attention
from space.blocks.image_ends import InputSkip, MeanShift
from space.blocks.malle import placed_malle
from space.blocks.residual import block
from space.blocks.upsamplers import upsampler
from space.trunk import INSERTED, TRUNK_KNOBS, malle_spec, trunk, upsampler_spec

BLOCKS = k.Knob("blocks", tuple(range(4, 25, 2)), "residual blocks in the trunk", "EDSR-baseline: 16")
KNOBS = (k.WIDTH, BLOCKS, k.RECURSION, *TRUNK_KNOBS, k.RESIDUAL_SCALE, *INSERTED, k.UPSAMPLER, k.INPUT_SKIP)


@dataclass(frozen=True, slots=True)
class PlainSettings:
    """``blocks`` run in order, ``recursion`` times over; the mean shift is that of the released EDSR code."""

    NESTED: ClassVar[dict[str, type]] = {"blocks": BlockSpec, "upsampler": UpsamplerSpec, "malle": MalleSpec}

    width: int
    blocks: tuple[BlockSpec, ...]
    recursion: int
    residual_scale: float
    upsampler: UpsamplerSpec
    input_skip: str
    mean_shift: bool = False
    malle: MalleSpec | None = field(default=None, metadata=LATER)
    attention: str = field(default="none", metadata=LATER)


def settings_from_knobs(knobs: Mapping[str, Any]) -> PlainSettings:
    return PlainSettings(
        width=knobs["width"],
        blocks=trunk(knobs["blocks"], knobs["width"], knobs),
        recursion=knobs["recursion"],
        residual_scale=knobs["residual_scale"],
        upsampler=upsampler_spec(knobs),
        input_skip=knobs["input_skip"],
        malle=malle_spec(knobs),
        attention=knobs["attention"],
    )


class PlainNet(nn.Module):
    """`(N, in, H, W)` to `(N, out, scale*H, scale*W)`, float, images in [0, 1].

    Args:
        make: ``make(factory, *args)`` returns the part ``factory(*args)``; costs are screened by passing one that
            returns known costs instead of modules.
    """

    def __init__(self, shape: IOShape, settings: PlainSettings, make: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.settings = settings
        if settings.mean_shift:
            self.shift_in, self.shift_out = make(MeanShift, -1), make(MeanShift, +1)
        self.stem = make(nn.Conv2d, shape.in_channels, settings.width, 3, padding=1)
        self.blocks = nn.ModuleList(make(block, spec, settings.residual_scale) for spec in settings.blocks)
        self.fuse = make(nn.Conv2d, settings.width, settings.width, 3, padding=1)
        self.malle = placed_malle(settings.malle, lambda _: settings.width, make)
        if settings.attention != "none":
            self.attention = make(attention, settings.attention, settings.width)
        self.upsampler = make(upsampler, settings.upsampler, settings.width, shape.out_channels, shape.scale)
        if settings.input_skip != "none":
            self.skip = make(InputSkip, settings.input_skip, shape.scale, shape.out_channels)

    @property
    def residual_end(self) -> nn.Module | None:
        """The last convolution, where what it gives is added to the input."""
        return self.upsampler.last if self.settings.input_skip != "none" else None

    def forward(self, image: Tensor) -> Tensor:
        if self.settings.mean_shift:
            image = self.shift_in(image)
        stem = self.stem(image)
        x = self.malle.at("head", stem)
        for _ in range(self.settings.recursion):
            for index, residual_block in enumerate(self.blocks):
                if index == len(self.blocks) // 2:
                    x = self.malle.at("middle", x)
                x = residual_block(x)
        x = self.malle.at("tail", x)
        if self.settings.attention != "none":
            x = self.attention(x)
        output = self.upsampler(self.fuse(x) + stem)
        if self.settings.input_skip != "none":
            output = output + self.skip(image)
        return self.shift_out(output) if self.settings.mean_shift else output
