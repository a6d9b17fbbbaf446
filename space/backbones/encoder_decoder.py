"""Feature-Align network (Young et al., arXiv 2103.01524): an encoder-decoder whose features are modulated, at chosen
places, with the noisy input at their size.

Blocks, places and skips are those of a re-implementation for another task (`yifanlu0227/HEAL`), with a convolution from
the image and one to it added; the paper's widths and depths are not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from torch import Tensor, nn

from space import knobs as k
from space.architecture import IOShape, Nested
from space.backbones.ends import ATTENTION, MALLE, ends_knobs
from space.backbones.restoration_net import RestorationNet, Trunk
from space.blocks import BLOCKS, at_widths, block_knobs
from space.blocks.block import BlockSpec, Residual
from space.layers.attention import KINDS
from space.layers.feature_align import FeatureAlign
from space.layers.resampling import doubling, halving
from space.parts import Make

WIDTH = k.Knob(
    "width", tuple(range(8, 65, 8)), "feature channels at full size", f"{k.FAN_CODE}: multiples of 8", elastic=True
)
LEVELS = k.Knob("levels", (2, 3, 4), "sizes, each half the one before", f"{k.FAN_CODE}: 3")
DEPTH = k.Knob("blocks_per_level", (1, 2, 3), "blocks at each level of the encoder", f"{k.FAN_CODE}: 1", elastic=True)
PLACES = k.Knob(
    "feature_align", ("none", "encoder", "decoder", "all"), "levels whose features are modulated with the input", k.FAN
)
RESAMPLE = k.Knob(
    "resample",
    ("pool+bilinear", "strided+transposed", "bilinear-list"),
    "between levels: max pooling and bilinear, strided and transposed convolutions, or bilinear and LIST",
    f"{k.FAN_CODE}: max pooling and bilinear; {k.LAHIRI}: the others",
)
OWN = (
    replace(MALLE, meaning="where a MalleConv stands: after the stem, coarsest, at the end, or at all three"),
    replace(ATTENTION, meaning="attention over the coarsest features"),
)

KNOBS = (WIDTH, LEVELS, DEPTH, *block_knobs("ar"), PLACES, RESAMPLE, *ends_knobs(*OWN))


@dataclass(frozen=True, slots=True)
class EncoderDecoderSettings:
    """``block`` is that at ``width`` channels, which double from level to level.

    ``feature_align`` is none, encoder, decoder or all; ``resample`` as in ``space.layers.resampling``.
    """

    NESTED: ClassVar[Nested] = {"block": BLOCKS}

    width: int
    levels: int
    blocks_per_level: int
    block: BlockSpec
    feature_align: str
    resample: str = "pool+bilinear"


def settings_from_knobs(knobs: Mapping[str, Any]) -> EncoderDecoderSettings:
    """The settings that ``knobs`` describe."""
    return EncoderDecoderSettings(
        width=knobs["width"],
        levels=knobs["levels"],
        blocks_per_level=knobs["blocks_per_level"],
        block=BLOCKS[knobs["block"]].from_knobs(knobs["width"], knobs),
        feature_align=knobs["feature_align"],
        resample=knobs["resample"],
    )


def values_of(settings: EncoderDecoderSettings) -> dict[str, k.Value]:
    """Knob values from which ``settings_from_knobs`` gives ``settings``, if any do."""
    return {
        "width": settings.width,
        "levels": settings.levels,
        "blocks_per_level": settings.blocks_per_level,
        "block": settings.block.kind,
        **settings.block.knob_values(),
        "feature_align": settings.feature_align,
        "resample": settings.resample,
    }


def _further_block(spec: BlockSpec) -> nn.Module:
    """A further block at a level, which adds its input: `(N, width, H, W)` to the same shape."""
    return spec.residual() if spec.HAS_SKIP else Residual(1, nn.Sequential(spec.changing(spec.width)))


class EncoderDecoderTrunk(Trunk):
    """A level starts with a block that changes the width, modulated with the image where features are aligned."""

    # The first MalleConv stands after the image at all sizes has been made.
    MALLE_PLACES: ClassVar[Mapping[str, str]] = {"head": "start", "middle": "coarsest", "tail": "end"}
    ATTENTION_PLACES: ClassVar[Mapping[str, str]] = dict.fromkeys(KINDS, "coarsest")

    def __init__(self, shape: IOShape, settings: EncoderDecoderSettings, make: Make) -> None:
        super().__init__(settings.width, 2 ** (settings.levels - 1))
        levels = range(settings.levels)
        self.widths = widths = [settings.width * 2**level for level in levels]
        self.in_encoder = settings.feature_align in ("encoder", "all")
        self.in_decoder = settings.feature_align in ("decoder", "all")
        specs = at_widths(settings.block, tuple(widths))

        def convert(spec: BlockSpec, out_channels: int, aligned: bool) -> nn.Module:
            block = spec.changing(out_channels, make)
            return FeatureAlign(block, out_channels, shape.in_channels, make) if aligned else block

        self.halve_image = make(nn.MaxPool2d, 2)
        self.halve = nn.ModuleList(make(halving, settings.resample, widths[n], widths[n]) for n in levels[:-1])
        self.encode = nn.ModuleList(convert(specs[max(0, n - 1)], widths[n], self.in_encoder) for n in levels)
        self.deepen = nn.ModuleList(
            nn.Sequential(*(make(_further_block, specs[n]) for _ in range(settings.blocks_per_level - 1)))
            for n in levels
        )
        self.enlarge = nn.ModuleList(make(doubling, settings.resample, widths[n + 1]) for n in levels[:-1])
        self.decode = nn.ModuleList(convert(specs[n + 1], widths[n], self.in_decoder) for n in levels[:-1])
        self.bridge = nn.ModuleList(make(nn.Conv2d, widths[n], widths[n], 1) for n in levels[:-1])

    def width_at(self, place: str) -> int:
        return self.widths[-1 if place == "coarsest" else 0]

    def forward(self, x: Tensor, image: Tensor, ends: RestorationNet) -> Tensor:
        images = [image]
        if self.in_encoder or self.in_decoder:
            for _ in range(len(self.widths) - 1 - (not self.in_encoder)):
                images.append(self.halve_image(images[-1]))

        x, encoded = ends.insert("start", x), []
        for level, (encode, deepen) in enumerate(zip(self.encode, self.deepen, strict=True)):
            x = self.halve[level - 1](x) if level else x
            x = deepen(encode(x, images[level]) if self.in_encoder else encode(x))
            encoded.append(x)

        x = ends.insert("coarsest", x)
        for level in reversed(range(len(self.widths) - 1)):
            x = self.enlarge[level](x)
            x = self.decode[level](x, images[level]) if self.in_decoder else self.decode[level](x)
            x = x + self.bridge[level](encoded[level])
        return ends.insert("end", x)
