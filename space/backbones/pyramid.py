"""MalleNet's pyramid (Jiang et al., ECCV 2022, arXiv 2201.00392): the image at 1, 1/2, 1/4, 1/8 by pixel unshuffle,
each level encoded, then merged from the coarsest up with a MalleConv at every level.

The layout is that of an unofficial port (`Jensen-JZ/MalleNet-PyTorch`); the paper's own is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from space import knobs as k
from space.architecture import LATER, BlockSpec, IOShape, MalleSpec, UpsamplerSpec
from space.blocks.attention import attention
from space.blocks.batch_norm import Normed
from space.blocks.image_ends import InputSkip
from space.blocks.inverted import PReluInverted
from space.blocks.malle import GatedMalle
from space.blocks.padding import Cut, FillUp
from space.blocks.resampling import doubling, halving
from space.blocks.residual import block
from space.blocks.upsamplers import upsampler
from space.trunk import upsampler_spec

POOLED_LEVELS = 2  # the finest ones, before whose predictors the port may pool

WIDTH = k.Knob("width", tuple(range(4, 33, 4)), "feature channels at full size", f"{k.MALLE_PORT}: 8, 16, 32, 64")
LEVELS = k.Knob("levels", (2, 3, 4), "sizes of the pyramid, each half the one before", f"{k.MALLE_PORT}: 4")
BLOCKS = k.Knob("blocks_per_side", (1, 2), "blocks before and after each MalleConv", f"{k.MALLE_PORT}: 2")
BLOCK = k.Knob(
    "block",
    ("inverted", "residual", "list"),
    "inverted residuals, or residual blocks of two dense or LIST convolutions",
    f"{k.MALLE_PORT}: inverted; {k.LAHIRI}: LIST",
)
GSAT = replace(k.GSAT, when={"block": ("residual",), "width": tuple(range(16, 33, 8))})
RESAMPLE = k.Knob(
    "resample",
    ("unshuffle+bilinear", "strided+transposed", "bilinear-list"),
    "levels from the image by pixel unshuffle and bilinear back, or each from the one above by strided and transposed "
    "convolutions or by bilinear and LIST",
    f"{k.MALLE_PORT}: unshuffle and bilinear; {k.LAHIRI}: the others",
)
ATTENTION = replace(k.ATTENTION, meaning="attention over the coarsest features")
MALLE = k.Knob("malle", ("none", "finest", "coarsest", "every-level"), "levels that have a MalleConv", k.MALLE_SOURCE)
STAGES = k.Knob(
    "malle_stages",
    (2, 3),
    "groups of blocks in MalleConv's predictor, with halvings between",
    f"{k.MALLE_PORT}: 3",
    {"malle": ("finest", "coarsest", "every-level")},
)
GROWTH = k.Knob(
    "malle_growth",
    ("constant", "doubling"),
    "width of the predictor from group to group",
    k.MALLE_PORT,
    {"malle": ("finest", "coarsest", "every-level")},
)
KNOBS = (
    WIDTH,
    LEVELS,
    BLOCKS,
    BLOCK,
    GSAT,
    RESAMPLE,
    MALLE,
    k.MALLE_KERNEL,
    k.MALLE_POOL,
    STAGES,
    GROWTH,
    ATTENTION,
    k.UPSAMPLER,
    k.INPUT_SKIP,
)


@dataclass(frozen=True, slots=True)
class PyramidSettings:
    """Level 0 is the full size; its features and those of level 1 have ``width`` channels, which then double.

    ``block`` is ``inverted``, ``residual``, ``list`` or ``gsat``; ``activations`` are the PReLUs of an inverted one,
    ``dilation`` is that of ``gsat``. ``norm``, ``learned_gates`` and ``clipped`` tell the port: batch norm, gates that
    are no parameters and stay 0, output clipped to [0, 1]. ``resample`` as in ``space.blocks.resampling``.
    """

    NESTED: ClassVar[dict[str, type]] = {"malle": MalleSpec, "upsampler": UpsamplerSpec}

    width: int
    levels: int
    blocks_per_side: int
    block: str
    malle: MalleSpec | None
    upsampler: UpsamplerSpec
    input_skip: str
    activations: int = 2
    norm: bool = False
    learned_gates: bool = True
    clipped: bool = False
    dilation: int = field(default=1, metadata=LATER)
    resample: str = field(default="unshuffle+bilinear", metadata=LATER)
    attention: str = field(default="none", metadata=LATER)

    def width_at(self, level: int) -> int:
        return self.width * 2 ** max(0, level - 1)

    def malle_at(self, level: int) -> MalleSpec | None:
        """The MalleConv of ``level``, or None; only the finest levels pool before their predictors."""
        if self.malle is None:
            return None
        wanted = {"finest": level == 0, "coarsest": level == self.levels - 1, "every-level": True}
        if not wanted[self.malle.placement]:
            return None
        return self.malle if level < POOLED_LEVELS else replace(self.malle, pool=1)


def settings_from_knobs(knobs: Mapping[str, Any]) -> PyramidSettings:
    malle = None
    if knobs["malle"] != "none":
        malle = MalleSpec(
            knobs["malle"],
            knobs["malle_kernel"],
            knobs.get("malle_pool", 1),
            knobs["malle_stages"],
            knobs["width"],
            blocks=1,
            doubling=knobs["malle_growth"] == "doubling",
        )
    dilated = knobs.get("gsat", "none") != "none"
    return PyramidSettings(
        width=knobs["width"],
        levels=knobs["levels"],
        blocks_per_side=knobs["blocks_per_side"],
        block="gsat" if dilated else knobs["block"],
        malle=malle,
        upsampler=upsampler_spec(knobs),
        input_skip=knobs["input_skip"],
        dilation=knobs["gsat"] if dilated else 1,
        resample=knobs["resample"],
        attention=knobs["attention"],
    )


def merge(in_channels: int, out_channels: int, kernel: int, norm: bool) -> nn.Module:
    """The convolution that takes a level and the one below it, joined, to the level's width."""
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)
    return Normed(conv, out_channels) if norm else conv


class PyramidNet(nn.Module):
    """`(N, in, H, W)` to `(N, out, scale*H, scale*W)`, float, images in [0, 1]; ``make`` as in ``PlainNet``.

    Sides that the pyramid cannot halve are filled up at the start and cut at the end.
    """

    def __init__(self, shape: IOShape, settings: PyramidSettings, make: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.settings = settings
        levels, widths = range(settings.levels), [settings.width_at(level) for level in range(settings.levels)]
        self.fill = make(FillUp, 2 ** (settings.levels - 1))
        self.from_image = settings.resample == "unshuffle+bilinear"
        self.unshuffle = nn.ModuleList(make(nn.PixelUnshuffle, 2**level) for level in levels[1:] if self.from_image)
        self.encode = nn.ModuleList(
            make(nn.Conv2d, shape.in_channels * 4**level, widths[level], 3, padding=1)
            if level == 0 or self.from_image
            else make(halving, settings.resample, widths[level - 1], widths[level])
            for level in levels
        )
        self.first = nn.ModuleList(self._block(widths[level], make) for level in levels)
        self.enlarge = nn.ModuleList(make(doubling, settings.resample, widths[level]) for level in levels[1:])
        self.merge = nn.ModuleList(
            make(merge, widths[level] + widths[level + 1], widths[level], 3 if level else 1, settings.norm)
            for level in levels[:-1]
        )
        sides = [settings.blocks_per_side if level else 0 for level in levels]
        self.before = nn.ModuleList(self._blocks(widths[level], sides[level], make) for level in levels)
        self.malle = nn.ModuleDict(
            {
                str(level): make(
                    GatedMalle, widths[level], spec, settings.norm, settings.learned_gates, settings.activations
                )
                for level in levels
                if (spec := settings.malle_at(level))
            }
        )
        self.after = nn.ModuleList(self._blocks(widths[level], sides[level], make) for level in levels)
        if settings.attention != "none":
            self.attention = make(attention, settings.attention, widths[-1])
        self.tail = self._block(settings.width, make)
        self.upsampler = make(upsampler, settings.upsampler, settings.width, shape.out_channels, shape.scale)
        self.cut = make(Cut, shape.scale)
        if settings.input_skip != "none":
            self.skip = make(InputSkip, settings.input_skip, shape.scale, shape.out_channels)
        if settings.clipped:
            self.clip = make(nn.Hardtanh, 0.0, 1.0)

    def _block(self, width: int, make: Callable[..., nn.Module]) -> nn.Module:
        if self.settings.block == "inverted":
            return make(PReluInverted, width, self.settings.norm, self.settings.activations)
        if self.settings.block == "gsat":
            return make(block, BlockSpec("gsat", width, width, dilation=self.settings.dilation))
        conv = "list" if self.settings.block == "list" else "dense"
        return make(block, BlockSpec("residual", width, width, conv=conv))

    def _blocks(self, width: int, count: int, make: Callable[..., nn.Module]) -> nn.Sequential:
        return nn.Sequential(*(self._block(width, make) for _ in range(count)))

    @property
    def residual_end(self) -> nn.Module | None:
        """The last convolution, where what it gives is added to the input."""
        return self.upsampler.last if self.settings.input_skip != "none" else None

    def forward(self, image: Tensor) -> Tensor:
        full = self.fill(image)
        encoded: list[Tensor] = []
        for level, (encode, first) in enumerate(zip(self.encode, self.first, strict=True)):
            if level and self.from_image:
                source = self.unshuffle[level - 1](full)
            else:
                source = encoded[-1] if level else full
            encoded.append(first(encode(source)))

        x = encoded[-1]
        if self.settings.attention != "none":
            x = self.attention(x)
        x = self._level(len(encoded) - 1, x)
        for level in reversed(range(len(encoded) - 1)):
            x = self.merge[level](torch.cat((encoded[level], self.enlarge[level](x)), 1))
            x = self._level(level, x)

        output = self.cut(self.upsampler(self.tail(x)), image)
        if self.settings.input_skip != "none":
            output = output + self.skip(image)
        return self.clip(output) if self.settings.clipped else output

    def _level(self, level: int, x: Tensor) -> Tensor:
        x = self.before[level](x)
        if str(level) in self.malle:
            x = self.malle[str(level)](x)
        return self.after[level](x)
