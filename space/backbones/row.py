"""A row of blocks of one width, as knobs and as specs: of which kind they are, which of them are inverted residuals
instead, which keep their activation, and after which of them stands a gated block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from typing import Any

from space.blocks import BLOCKS, block_knobs
from space.blocks.block import BlockSpec
from space.blocks.inverted import KERNEL
from space.knobs import SLWSR, ZENOSR, Knob, Value

SECOND = "inverted"  # the kind that takes the place of some blocks
GATED = "gated"  # the kind that may follow some blocks
INVERTED_RATIO = Knob(
    "inverted_ratio",
    (0.0, 0.25, 0.5, 0.75),
    "share of blocks that are inverted residuals instead",
    f"{SLWSR} section IV-B, figure 5",
    {"block": tuple(kind for kind in BLOCKS if kind not in (SECOND, GATED))},
)
INVERTED_AT = Knob(
    "inverted_at",
    ("first", "last", "spread"),
    "which blocks are replaced by inverted residuals",
    f"{SLWSR}: not stated, ours",
    {"inverted_ratio": (0.25, 0.5, 0.75)},
)
ACTIVATION_KEPT = Knob(
    "activation_kept",
    ("rare", "1/3", "1/2", "2/3", "all"),
    "share of blocks that keep their activation",
    f"{SLWSR} figure 6",
)
GATED_RATIO = Knob(
    "gated_ratio",
    (0.0, 0.25, 0.5),
    "share of blocks that a gated block follows, spread evenly",
    f"{ZENOSR}: all",
    {"block": tuple(kind for kind in BLOCKS if kind != GATED)},
    default=0.0,
)
PREFIX, AFTER = f"{SECOND}_", "after_"
SECOND_KNOBS = tuple(
    replace(
        knob,
        name=PREFIX + knob.name,
        when={"inverted_ratio": (0.25, 0.5, 0.75)} | {PREFIX + name: values for name, values in knob.when.items()},
    )
    for knob in BLOCKS[SECOND].KNOBS
    if knob != KERNEL  # of the second kind it is 3
)
GATED_KNOBS = (
    GATED_RATIO,
    *(replace(knob, name=AFTER + knob.name, when={"gated_ratio": (0.25, 0.5)}) for knob in BLOCKS[GATED].KNOBS),
)
ROW_KNOBS = (*block_knobs(), INVERTED_RATIO, *SECOND_KNOBS, INVERTED_AT, ACTIVATION_KEPT)
KEPT_SHARE = {"1/3": 1 / 3, "1/2": 1 / 2, "2/3": 2 / 3}


@lru_cache
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


@lru_cache
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


def row(
    count: int, width: int, knobs: Mapping[str, Any], kept: Callable[[int, str], tuple[bool, ...]] = kept_flags
) -> tuple[BlockSpec, ...]:
    """``count`` blocks at ``width`` channels, and the gated ones after some of them, in the order in which they run.

    Args:
        knobs: values of ``ROW_KNOBS`` and, where offered, ``GATED_KNOBS``; every block keeps its activation where
            ``activation_kept`` is not offered.
        kept: which of so many blocks keep their activation, by the value of ``activation_kept``.
    """
    first = BLOCKS[knobs["block"]].from_knobs(width, knobs)
    ratio = knobs.get("inverted_ratio", 0.0)
    second = first
    if ratio:
        second = second_of(width, knobs)
    specs = {(False, True): first, (True, True): second}
    inverted = inverted_flags(count, ratio, knobs.get("inverted_at", "spread"))
    chosen = []
    for flags in zip(inverted, kept(count, knobs.get("activation_kept", "all")), strict=True):
        if flags not in specs:
            specs[flags] = specs[flags[0], True].linear()
        chosen.append(specs[flags])
    share = knobs.get("gated_ratio", 0.0)
    if not share:
        return tuple(chosen)
    return _followed(tuple(chosen), share, BLOCKS[GATED].from_knobs(width, _own(knobs, AFTER)))


def second_of(width: int, knobs: Mapping[str, Any]) -> BlockSpec:
    """The block that takes the place of some."""
    return BLOCKS[SECOND].from_knobs(width, _own(knobs, PREFIX))


def _own(knobs: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in knobs.items() if name.startswith(prefix)}


@lru_cache(maxsize=4096)
def _followed(blocks: tuple[BlockSpec, ...], share: float, gated: BlockSpec) -> tuple[BlockSpec, ...]:
    flags = inverted_flags(len(blocks), share, "spread")
    return tuple(
        chain.from_iterable((spec, gated) if follows else (spec,) for spec, follows in zip(blocks, flags, strict=True))
    )


def own_blocks(blocks: tuple[BlockSpec, ...]) -> tuple[BlockSpec, ...]:
    """Those of a row that the knob for their number counts: without the gated ones after others."""
    return tuple(spec for spec in blocks if spec.kind != GATED) or blocks


def row_values(
    blocks: tuple[BlockSpec, ...], knobs: tuple[Knob, ...], kept: Callable[[int, str], tuple[bool, ...]] = kept_flags
) -> dict[str, Value]:
    """Values of ``knobs`` from which ``row`` may give ``blocks``; the caller checks that it does.

    Properties of the whole row are read off single blocks.
    """
    offered = {knob.name: knob.values for knob in knobs}
    whole, blocks = blocks, own_blocks(blocks)
    others = [spec for spec in blocks if spec.kind != SECOND] or list(blocks)
    # Without its activation, a block may go by the name of another kind (``BlockSpec.linear``).
    main = next((spec for spec in others if spec.activated), others[0])
    values: dict[str, Value] = {"block": main.kind, **main.knob_values()}

    inverted = tuple(spec.kind == SECOND for spec in blocks)
    if main.kind != SECOND:
        places = ((ratio, str(at)) for ratio in offered["inverted_ratio"] for at in offered["inverted_at"])
        for ratio, at in places:
            if inverted_flags(len(blocks), float(ratio), at) == inverted:
                values |= {"inverted_ratio": ratio, "inverted_at": at}
                break
    if any(inverted):
        second = blocks[inverted.index(True)]
        values |= {PREFIX + name: value for name, value in second.knob_values().items()}

    activated = tuple(spec.activated for spec in blocks)
    for value in sorted(offered["activation_kept"], key=lambda value: value != "all"):  # of two blocks, rare is all
        if kept(len(blocks), str(value)) == activated:
            values["activation_kept"] = value
            break

    values["gated_ratio"] = 0.0
    if len(whole) > len(blocks):
        after = next(spec for spec in whole if spec.kind == GATED)
        values |= {AFTER + name: value for name, value in after.knob_values().items()}
        for share in offered.get("gated_ratio", ()):
            if share and _followed(blocks, float(share), after) == whole:
                values["gated_ratio"] = share
                break
    return values
