"""From trunk knobs to a row of block specs: which blocks are inverted, which keep their activation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from space.architecture import BlockSpec, MalleSpec, UpsamplerSpec
from space.knobs import (
    ACTIVATION_KEPT,
    ATTENTION,
    BLOCK_FORM,
    BLOCK_FORMS,
    CONV,
    EXPANSION,
    GSAT,
    INVERTED_AT,
    INVERTED_RATIO,
    MALLE,
    MALLE_KERNEL,
    MALLE_POOL,
)

INSERTED = (MALLE, MALLE_KERNEL, MALLE_POOL, ATTENTION)  # parts that any trunk may have
TRUNK_KNOBS = (INVERTED_RATIO, EXPANSION, INVERTED_AT, ACTIVATION_KEPT, BLOCK_FORM, CONV, GSAT)
KEPT_SHARE = {"1/3": 1 / 3, "1/2": 1 / 2, "2/3": 2 / 3}


def upsampler_spec(knobs: Mapping[str, Any]) -> UpsamplerSpec:
    """What the knob ``upsampler`` says; where it is not offered, one convolution to the image, without a step."""
    return UpsamplerSpec(knobs.get("upsampler", "dense-one-step"), knobs["width"])


TRUNK_MALLE = MalleSpec("none", stages=2, width=16, blocks=1)  # a predictor small against a trunk; ours


def malle_spec(knobs: Mapping[str, Any]) -> MalleSpec | None:
    """What the knobs ``malle``, ``malle_kernel`` and ``malle_pool`` say of a trunk."""
    if knobs["malle"] == "none":
        return None
    return replace(TRUNK_MALLE, placement=knobs["malle"], kernel=knobs["malle_kernel"], pool=knobs["malle_pool"])


def trunk(
    count: int, width: int, knobs: Mapping[str, Any], kept: tuple[bool, ...] | None = None
) -> tuple[BlockSpec, ...]:
    """``count`` blocks at ``width`` channels, in the order in which they run.

    Args:
        knobs: values of ``TRUNK_KNOBS``; every block keeps its activation where ``activation_kept`` is not offered.
        kept: which blocks keep their activation, instead of the pattern that ``activation_kept`` gives.
    """
    inverted = inverted_flags(count, knobs["inverted_ratio"], knobs.get("inverted_at", "spread"))
    kept = kept or kept_flags(count, knobs.get("activation_kept", "all"))
    plain = BLOCK_FORMS[knobs.get("block_form", "released")]

    def spec(is_inverted: bool, activated: bool) -> BlockSpec:
        if is_inverted:
            return BlockSpec("inverted", width, knobs["expansion"] * width, activated)
        if knobs.get("gsat", "none") != "none":
            return BlockSpec("gsat", width, width, activated, dilation=knobs["gsat"])
        # Without its activation, equation 1 and the released form are the same function: one name for it.
        kind = "residual" if plain == "preactivated" and not activated else plain
        return BlockSpec(kind, width, width, activated, knobs["conv"])

    flags = tuple(zip(inverted, kept, strict=True))
    specs = {pair: spec(*pair) for pair in set(flags)}
    return tuple(specs[pair] for pair in flags)


def inverted_flags(count: int, ratio: float, at: str) -> tuple[bool, ...]:
    """Which of ``count`` blocks are inverted residuals: at least one, and not all, for a ratio between 0 and 1."""
    if ratio in (0, 1):
        return (bool(ratio),) * count
    replaced = min(max(1, round(ratio * count)), count - 1)
    if at == "first":
        return tuple(index < replaced for index in range(count))
    if at == "last":
        return tuple(index >= count - replaced for index in range(count))
    chosen = {(2 * step + 1) * count // (2 * replaced) for step in range(replaced)}
    return tuple(index in chosen for index in range(count))


def kept_flags(count: int, kept: str) -> tuple[bool, ...]:
    """Which of ``count`` blocks keep their activation.

    ``rare`` keeps the first and the last block (s-LWSR: "only first and last convolutional layers"); 1/3, 1/2 and
    2/3 are spread evenly, first and last included. Which blocks the paper took is not known.
    """
    if kept == "all":
        return (True,) * count
    number = 2 if kept == "rare" else round(KEPT_SHARE[kept] * count)
    number = min(max(2, number), count)
    chosen = {round(step * (count - 1) / max(1, number - 1)) for step in range(number)}
    return tuple(index in chosen for index in range(count))
