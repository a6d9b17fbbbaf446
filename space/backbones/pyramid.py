"""MalleNet's pyramid (Jiang et al., ECCV 2022, arXiv 2201.00392): the image at 1, 1/2, 1/4, 1/8 by pixel unshuffle,
each level encoded, then merged from the coarsest up with a MalleConv at every level.

The layout is that of an unofficial port (`Jensen-JZ/MalleNet-PyTorch`); the paper's own is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from space import knobs as k
from space.architecture import IOShape, MalleSpec, Nested
from space.backbones.ends import ATTENTION, ends_knobs
from space.backbones.restoration_net import RestorationNet, Trunk
from space.blocks import BLOCKS, at_widths, block, block_knobs
from space.blocks.block import BlockSpec
from space.layers.attention import KINDS
from space.layers.batch_norm import Normed
from space.layers.malle import GatedMalle
from space.layers.resampling import doubling, halving
from space.parts import Make

POOLED_LEVELS = 2  # the finest ones, before whose predictors the port may pool

WIDTH = k.Knob(
    "width", tuple(range(4, 33, 4)), "feature channels at full size", f"{k.MALLE_PORT}: 8, 16, 32, 64", elastic=True
)
LEVELS = k.Knob("levels", (2, 3, 4), "sizes of the pyramid, each half the one before", f"{k.MALLE_PORT}: 4")
SIDES = k.Knob("blocks_per_side", (1, 2), "blocks before and after each MalleConv", f"{k.MALLE_PORT}: 2", elastic=True)
RESAMPLE = k.Knob(
    "resample",
    ("unshuffle+bilinear", "strided+transposed", "bilinear-list"),
    "levels from the image by pixel unshuffle and bilinear back, or each from the one above by strided and transposed "
    "convolutions or by bilinear and LIST",
    f"{k.MALLE_PORT}: unshuffle and bilinear; {k.LAHIRI}: the others",
)
OWN = (
    k.Knob("malle", ("none", "finest", "coarsest", "every-level"), "levels that have a MalleConv", k.MALLE_SOURCE),
    replace(ATTENTION, meaning="attention over the coarsest features"),
)

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
KNOBS = (WIDTH, LEVELS, SIDES, *block_knobs(), RESAMPLE, *ends_knobs(*OWN, of_malle=(STAGES, GROWTH)))


@dataclass(frozen=True, slots=True)
class PyramidSettings:
    """Level 0 is the full size; its features and those of level 1 have ``width`` channels, which then double.

    ``block`` is that at ``width`` channels. ``norm``, ``activations`` (PReLUs of a predictor's blocks) and
    ``learned_gates`` tell the port: batch norm, gates that are no parameters and stay 0. ``resample`` as in
    ``space.layers.resampling``.
    """

    NESTED: ClassVar[Nested] = {"block": BLOCKS}

    width: int
    levels: int
    blocks_per_side: int
    block: BlockSpec
    resample: str = "unshuffle+bilinear"
    activations: int = 2
    norm: bool = False
    learned_gates: bool = True

    def width_at(self, level: int) -> int:
        """Channels of ``level``."""
        return self.width * 2 ** max(0, level - 1)


def malle_from_knobs(knobs: Mapping[str, Any]) -> MalleSpec:
    """The MalleConvs that ``knobs`` describe; the predictor is as wide as the trunk."""
    return MalleSpec(
        knobs["malle"],
        knobs["malle_kernel"],
        knobs.get("malle_pool", 1),
        knobs["malle_stages"],
        knobs["width"],
        blocks=1,
        doubling=knobs["malle_growth"] == "doubling",
    )


def settings_from_knobs(knobs: Mapping[str, Any]) -> PyramidSettings:
    """The settings that ``knobs`` describe."""
    return PyramidSettings(
        width=knobs["width"],
        levels=knobs["levels"],
        blocks_per_side=knobs["blocks_per_side"],
        block=BLOCKS[knobs["block"]].from_knobs(knobs["width"], knobs),
        resample=knobs["resample"],
    )


def values_of(settings: PyramidSettings) -> dict[str, k.Value]:
    """Knob values from which ``settings_from_knobs`` gives ``settings``, if any do."""
    return {
        "width": settings.width,
        "levels": settings.levels,
        "blocks_per_side": settings.blocks_per_side,
        "block": settings.block.kind,
        **settings.block.knob_values(),
        "resample": settings.resample,
    }


def _merge(in_channels: int, out_channels: int, kernel: int, norm: bool) -> nn.Module:
    """The convolution that takes a level and the one below it, joined, to the level's width."""
    conv = nn.Conv2d(in_channels, out_channels, kernel, padding=kernel // 2)
    return Normed(conv, out_channels) if norm else conv


def _row(spec: BlockSpec, count: int, make: Make) -> nn.Sequential:
    return nn.Sequential(*(make(block, spec) for _ in range(count)))


class PyramidTrunk(Trunk):
    """Levels encoded from the finest down and merged from the coarsest up."""

    ATTENTION_PLACES: ClassVar[Mapping[str, str]] = dict.fromkeys(KINDS, "coarsest")

    def __init__(self, shape: IOShape, settings: PyramidSettings, make: Make) -> None:
        super().__init__(settings.width, 2 ** (settings.levels - 1))
        self.settings = settings
        levels, widths = range(settings.levels), [settings.width_at(level) for level in range(settings.levels)]
        self.from_image = settings.resample == "unshuffle+bilinear"
        self.unshuffle = nn.ModuleList(make(nn.PixelUnshuffle, 2**level) for level in levels[1:] if self.from_image)
        self.encode = nn.ModuleList(
            make(nn.Conv2d, shape.in_channels * 4**level, widths[level], 3, padding=1)
            if self.from_image
            else make(halving, settings.resample, widths[level - 1], widths[level])
            for level in levels[1:]
        )
        specs = at_widths(settings.block, tuple(widths))
        self.first = nn.ModuleList(make(block, spec) for spec in specs)
        self.enlarge = nn.ModuleList(make(doubling, settings.resample, widths[level]) for level in levels[1:])
        self.merge = nn.ModuleList(
            make(_merge, widths[level] + widths[level + 1], widths[level], 3 if level else 1, settings.norm)
            for level in levels[:-1]
        )
        sides = [settings.blocks_per_side if level else 0 for level in levels]
        self.before, self.after = (
            nn.ModuleList(_row(spec, count, make) for spec, count in zip(specs, sides, strict=True)) for _ in range(2)
        )
        self.tail = make(block, specs[0])

    def width_at(self, place: str) -> int:
        return self.settings.width_at(self.settings.levels - 1)

    def malle_at(self, spec: MalleSpec, make: Make) -> dict[str, nn.Module]:
        """A gated MalleConv at ``level-N``; only the finest levels pool before their predictors."""
        settings = self.settings
        last = settings.levels - 1
        levels = {"finest": (0,), "coarsest": (last,), "every-level": tuple(range(settings.levels))}[spec.placement]
        return {
            f"level-{level}": make(
                GatedMalle,
                settings.width_at(level),
                spec if level < POOLED_LEVELS else replace(spec, pool=1),
                settings.norm,
                settings.learned_gates,
                settings.activations,
            )
            for level in levels
        }

    def forward(self, x: Tensor, image: Tensor, ends: RestorationNet) -> Tensor:
        encoded = [self.first[0](x)]
        for level, encode in enumerate(self.encode):
            source = self.unshuffle[level](image) if self.from_image else encoded[-1]
            encoded.append(self.first[level + 1](encode(source)))

        x = ends.insert("coarsest", encoded[-1])
        x = self._level(len(encoded) - 1, x, ends)
        for level in reversed(range(len(encoded) - 1)):
            x = self.merge[level](torch.cat((encoded[level], self.enlarge[level](x)), 1))
            x = self._level(level, x, ends)
        return self.tail(x)

    def _level(self, level: int, x: Tensor, ends: RestorationNet) -> Tensor:
        return self.after[level](ends.insert(f"level-{level}", self.before[level](x)))
