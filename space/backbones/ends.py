"""From knobs to the parts around a trunk, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from space.architecture import EndsSpec, MalleSpec, UpsamplerSpec
from space.knobs import DEBLUR, LAHIRI, MALLE_PORT, MALLE_SOURCE, SLWSR, Knob, Value

MALLE = Knob(
    "malle",
    ("none", "head", "middle", "tail", "all"),
    "where a MalleConv stands in the trunk, or one at each place",
    MALLE_SOURCE,
)
MALLE_KERNEL = Knob(
    "malle_kernel",
    (1, 3),
    "pixels per side of MalleConv's kernels",
    f"1: {MALLE_PORT}; 3: another re-implementation",
    {"malle": ("head", "middle", "tail", "all", "finest", "coarsest", "every-level")},
)
MALLE_POOL = Knob(
    "malle_pool",
    (1, 2, 4),
    "pooling before MalleConv's predictor",
    MALLE_PORT,
    {"malle": ("head", "middle", "tail", "all", "finest", "every-level")},
)
ATTENTION = Knob(
    "attention",
    ("none", "channel", "spatial", "both", "esa", "lia"),
    "attention over what the trunk gives; esa and lia look at a map of a sixth of the sides, not at the whole image",
    f"{DEBLUR} table 2; esa: RFANet (Liu et al., CVPR 2020), RLFN; lia: PlainUSR (arXiv 2409.13435)",
)
UPSAMPLER = Knob(
    "upsampler",
    ("dense-two-step", "dense-one-step", "depthwise", "grouped", "nearest", "bilinear", "bilinear-list", "transposed"),
    "how features become the output image",
    f"{LAHIRI}, which warns of depthwise; {SLWSR}: dense-two-step",
    same_size=(),
)
INPUT_SKIP = Knob(
    "input_skip",
    ("none", "nearest", "bilinear", "bicubic"),
    "(resized or hole-filled) input added to the output; the last convolution then starts at zero",
    "ours; push-pull: Gortler et al., The Lumigraph (SIGGRAPH 1996)",
    same_size=("none", "identity"),
    masked=("push-pull",),
)
MALLE_KNOBS = (MALLE, MALLE_KERNEL, MALLE_POOL)
ENDS_KNOBS = (*MALLE_KNOBS, ATTENTION, UPSAMPLER, INPUT_SKIP)


def ends_knobs(*own: Knob, of_malle: tuple[Knob, ...] = ()) -> tuple[Knob, ...]:
    """``ENDS_KNOBS`` for a trunk that has its ``own`` of the same names, and further ones of a MalleConv."""
    by_name = {knob.name: knob for knob in own}
    return tuple(by_name.get(knob.name, knob) for knob in (*MALLE_KNOBS, *of_malle, *ENDS_KNOBS[len(MALLE_KNOBS) :]))


def trunk_malle(knobs: Mapping[str, Any]) -> MalleSpec:
    """A MalleConv whose predictor is small compared with a trunk; its size is ours."""
    return MalleSpec(knobs["malle"], knobs["malle_kernel"], knobs["malle_pool"], stages=2, width=16, blocks=1)


def ends_from_knobs(
    knobs: Mapping[str, Any], malle: Callable[[Mapping[str, Any]], MalleSpec] = trunk_malle
) -> EndsSpec:
    """The ends that ``knobs`` describe; without a knob ``upsampler``, one convolution to the image."""
    return EndsSpec(
        UpsamplerSpec(knobs.get("upsampler", "dense-one-step"), knobs["width"]),
        knobs["input_skip"],
        malle(knobs) if knobs["malle"] != "none" else None,
        knobs["attention"],
    )


def ends_values(ends: EndsSpec) -> dict[str, Value]:
    """Knob values from which ``ends_from_knobs`` gives ``ends``, if any do."""
    values: dict[str, Value] = {
        "upsampler": ends.upsampler.kind,
        "input_skip": ends.input_skip,
        "attention": ends.attention,
        "malle": "none",
    }
    if ends.malle is not None:
        values |= {
            "malle": ends.malle.placement,
            "malle_kernel": ends.malle.kernel,
            "malle_pool": ends.malle.pool,
            "malle_stages": ends.malle.stages,
            "malle_growth": "doubling" if ends.malle.doubling else "constant",
        }
    return values
