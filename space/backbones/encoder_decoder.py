"""Feature-Align network (Young et al., arXiv 2103.01524): an encoder-decoder whose features are modulated, at chosen
places, with the noisy input at their size.

Blocks, places and skips are those of a re-implementation for another task (`yifanlu0227/HEAL`), with a convolution from
the image and one to it added; the paper's widths and depths are not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from torch import Tensor, nn

from space import knobs as k
from space.architecture import LATER, IOShape, MalleSpec, UpsamplerSpec
from space.blocks.attention import attention
from space.blocks.feature_align import AR_GROUPS, ArBlock, FeatureAlign
from space.blocks.image_ends import InputSkip
from space.blocks.malle import placed_malle
from space.blocks.padding import Cut, FillUp
from space.blocks.resampling import doubling, halving
from space.blocks.upsamplers import upsampler
from space.trunk import malle_spec, upsampler_spec

FAN_CODE = "re-implementation of its block (yifanlu0227/HEAL)"
DEPTHWISE = 0  # groups of the 3x3: one per channel

WIDTH = k.Knob("width", tuple(range(8, 65, 8)), "feature channels at full size", f"{FAN_CODE}: multiples of 8")
LEVELS = k.Knob("levels", (2, 3, 4), "sizes, each half the one before", f"{FAN_CODE}: 3")
BLOCKS = k.Knob("blocks_per_level", (1, 2, 3), "AR blocks at each level of the encoder", f"{FAN_CODE}: 1")
CONV = k.Knob(
    "ar_conv", ("grouped", "list"), "3x3 convolution of the AR blocks", f"{FAN_CODE}: grouped; {k.LAHIRI}: LIST"
)
GROUPS = k.Knob(
    "ar_groups",
    ("8", "depthwise"),
    "groups of an AR block's 3x3 convolution",
    f"{FAN_CODE}: 8",
    {"ar_conv": ("grouped",)},
)
GSAT = replace(
    k.GSAT, meaning="GSAT of this dilation instead of the 3x3 convolution of the AR blocks", when={"ar_groups": ("8",)}
)
PLACES = k.Knob(
    "feature_align", ("none", "encoder", "decoder", "all"), "levels whose features are modulated with the input", k.FAN
)
ATTENTION = replace(k.ATTENTION, meaning="attention over the coarsest features")
RESAMPLE = k.Knob(
    "resample",
    ("pool+bilinear", "strided+transposed", "bilinear-list"),
    "between levels: max pooling and bilinear, strided and transposed convolutions, or bilinear and LIST",
    f"{FAN_CODE}: max pooling and bilinear; {k.LAHIRI}: the others",
)
MALLE = replace(k.MALLE, meaning="where a MalleConv stands: after the stem, coarsest, at the end, or at all three")
KNOBS = (
    WIDTH,
    LEVELS,
    BLOCKS,
    CONV,
    GROUPS,
    GSAT,
    PLACES,
    RESAMPLE,
    MALLE,
    k.MALLE_KERNEL,
    k.MALLE_POOL,
    ATTENTION,
    k.UPSAMPLER,
    k.INPUT_SKIP,
)


@dataclass(frozen=True, slots=True)
class EncoderDecoderSettings:
    """``feature_align`` is none, encoder, decoder or all; ``groups`` those of the 3x3 convolutions, 0 for depthwise.

    ``conv`` is ``grouped``, ``list`` or ``gsat``, the last with ``dilation``; ``resample`` as in
    ``space.blocks.resampling``.
    """

    NESTED: ClassVar[dict[str, type]] = {"malle": MalleSpec, "upsampler": UpsamplerSpec}

    width: int
    levels: int
    blocks_per_level: int
    groups: int
    feature_align: str
    malle: MalleSpec | None
    attention: str
    upsampler: UpsamplerSpec
    input_skip: str
    conv: str = field(default="grouped", metadata=LATER)
    dilation: int = field(default=1, metadata=LATER)
    resample: str = field(default="pool+bilinear", metadata=LATER)


def settings_from_knobs(knobs: Mapping[str, Any]) -> EncoderDecoderSettings:
    dilated = knobs.get("gsat", "none") != "none"
    return EncoderDecoderSettings(
        width=knobs["width"],
        levels=knobs["levels"],
        blocks_per_level=knobs["blocks_per_level"],
        groups=DEPTHWISE if knobs.get("ar_groups") == "depthwise" else AR_GROUPS,
        feature_align=knobs["feature_align"],
        malle=malle_spec(knobs),
        attention=knobs["attention"],
        upsampler=upsampler_spec(knobs),
        input_skip=knobs["input_skip"],
        conv="gsat" if dilated else knobs["ar_conv"],
        dilation=knobs["gsat"] if dilated else 1,
        resample=knobs["resample"],
    )


class ResidualAr(nn.Module):
    """Input plus AR block: a further block at a level."""

    def __init__(self, width: int, groups: int, conv: str = "grouped", dilation: int = 1) -> None:
        super().__init__()
        self.block = ArBlock(width, width, groups, conv, dilation)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.block(x)


class EncoderDecoderNet(nn.Module):
    """`(N, in, H, W)` to `(N, out, scale*H, scale*W)`, float, images in [0, 1]; ``make`` as in ``PlainNet``.

    Sides that cannot be halved often enough are filled up at the start and cut at the end.
    """

    def __init__(self, shape: IOShape, settings: EncoderDecoderSettings, make: Callable[..., nn.Module]) -> None:
        super().__init__()
        self.settings = settings
        levels = range(settings.levels)
        widths = [settings.width * 2**level for level in levels]
        self.in_encoder = settings.feature_align in ("encoder", "all")
        self.in_decoder = settings.feature_align in ("decoder", "all")

        spatial = (settings.groups, settings.conv, settings.dilation)

        def convert(in_channels: int, out_channels: int, aligned: bool) -> nn.Module:
            if aligned:
                return make(FeatureAlign, in_channels, out_channels, shape.in_channels, *spatial)
            return make(ArBlock, in_channels, out_channels, *spatial)

        self.fill = make(FillUp, 2 ** (settings.levels - 1))
        self.halve_image = make(nn.MaxPool2d, 2)
        self.halve = nn.ModuleList(make(halving, settings.resample, widths[n], widths[n]) for n in levels[:-1])
        self.stem = make(nn.Conv2d, shape.in_channels, settings.width, 3, padding=1)
        self.encode = nn.ModuleList(convert(widths[max(0, n - 1)], widths[n], self.in_encoder) for n in levels)
        self.deepen = nn.ModuleList(
            nn.Sequential(*(make(ResidualAr, widths[n], *spatial) for _ in range(settings.blocks_per_level - 1)))
            for n in levels
        )
        self.enlarge = nn.ModuleList(make(doubling, settings.resample, widths[n + 1]) for n in levels[:-1])
        self.decode = nn.ModuleList(convert(widths[n + 1], widths[n], self.in_decoder) for n in levels[:-1])
        self.bridge = nn.ModuleList(make(nn.Conv2d, widths[n], widths[n], 1) for n in levels[:-1])
        self.malle = placed_malle(settings.malle, lambda place: widths[-1 if place == "middle" else 0], make)
        if settings.attention != "none":
            self.attention = make(attention, settings.attention, widths[-1])
        self.upsampler = make(upsampler, settings.upsampler, settings.width, shape.out_channels, shape.scale)
        self.cut = make(Cut, shape.scale)
        if settings.input_skip != "none":
            self.skip = make(InputSkip, settings.input_skip, shape.scale, shape.out_channels)

    @property
    def residual_end(self) -> nn.Module | None:
        """The last convolution, where what it gives is added to the input."""
        return self.upsampler.last if self.settings.input_skip != "none" else None

    def forward(self, image: Tensor) -> Tensor:
        full = self.fill(image)
        images = [full]
        if self.in_encoder or self.in_decoder:
            for _ in range(self.settings.levels - 1 - (not self.in_encoder)):
                images.append(self.halve_image(images[-1]))

        x, encoded = self.malle.at("head", self.stem(full)), []
        for level, (encode, deepen) in enumerate(zip(self.encode, self.deepen, strict=True)):
            x = self.halve[level - 1](x) if level else x
            x = deepen(encode(x, images[level]) if self.in_encoder else encode(x))
            encoded.append(x)

        x = self.malle.at("middle", x)
        if self.settings.attention != "none":
            x = self.attention(x)
        for level in reversed(range(self.settings.levels - 1)):
            x = self.enlarge[level](x)
            x = self.decode[level](x, images[level]) if self.in_decoder else self.decode[level](x)
            x = x + self.bridge[level](encoded[level])

        output = self.cut(self.upsampler(self.malle.at("tail", x)), image)
        return output + self.skip(image) if self.settings.input_skip != "none" else output
