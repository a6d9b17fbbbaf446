"""The size of a search space: knob choices, and the distinct architectures that they describe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from space.architecture import IOShape
from space.backbones import Backbone
from space.backbones.row import GATED, GATED_KNOBS, GATED_RATIO, INVERTED_RATIO, ROW_KNOBS
from space.knobs import Knob, Value

# Knobs that together say which blocks a trunk has: of these two choices may mean the same blocks. Every other knob's
# value stands in the settings for itself.
DEPTHS = ("blocks", "blocks_per_stage")  # how many blocks there are, by the backbone
BLOCK_ROW = frozenset({"width", *DEPTHS, *(knob.name for knob in (*ROW_KNOBS, *GATED_KNOBS))})


def knob_sets(knobs: tuple[Knob, ...]) -> int:
    """The exact number of distinct choices of ``knobs``; a knob that does not apply has no value.

    Works knob by knob: partial choices that agree in every knob used by a later condition are counted together.
    """
    partial: Counter[frozenset[tuple[str, Value]]] = Counter({frozenset(): 1})
    for index, knob in enumerate(knobs):
        needed = {name for later in knobs[index + 1 :] for name in later.when}
        extended: Counter[frozenset[tuple[str, Value]]] = Counter()
        for chosen, number in partial.items():
            for extra in _values(knob, dict(chosen)):
                kept = {**dict(chosen), **extra}
                extended[frozenset((name, value) for name, value in kept.items() if name in needed)] += number
        partial = extended
    return partial.total()


def all_choices(knobs: tuple[Knob, ...]) -> Iterator[dict[str, Any]]:
    """Every choice of ``knobs``, one after another."""

    def extended(chosen: dict[str, Any], rest: tuple[Knob, ...]) -> Iterator[dict[str, Any]]:
        if not rest:
            yield chosen
            return
        for extra in _values(rest[0], chosen):
            yield from extended({**chosen, **extra}, rest[1:])

    return extended({}, knobs)


def architectures(backbone: Backbone, shape: IOShape) -> int:
    """The exact number of distinct architectures of ``backbone`` for networks of ``shape``."""
    knobs = backbone.knobs_for(shape)
    if all(knob.name != INVERTED_RATIO.name for knob in knobs):
        return knob_sets(knobs)
    return _block_rows(backbone) * knob_sets(tuple(knob for knob in knobs if knob.name not in BLOCK_ROW))


@lru_cache
def _block_rows(backbone: Backbone) -> int:
    """The number of different settings among all choices of ``BLOCK_ROW``, all other knobs being fixed.

    What follows blocks depends on how many there are, not on what they are, and nothing follows gated ones.
    """
    of_blocks = tuple(knob for knob in backbone.knobs if knob.name in BLOCK_ROW)
    fixed = next(all_choices(tuple(knob for knob in backbone.knobs if knob.name not in BLOCK_ROW)))
    (depth,) = (knob for knob in of_blocks if knob.name in DEPTHS)
    follow = any(knob.name == GATED_RATIO.name for knob in of_blocks)

    def different(**held: Value) -> Counter[bool]:
        """Settings among the choices with values ``held``, by whether their blocks are gated ones."""
        own = tuple(replace(knob, values=(held[knob.name],)) if knob.name in held else knob for knob in of_blocks)
        found = {backbone.settings_from_knobs({**fixed, **chosen}): chosen["block"] for chosen in all_choices(own)}
        return Counter(kind == GATED for kind in found.values())

    nothing = {GATED_RATIO.name: 0.0} if follow else {}
    of_gated = {knob.name for knob in GATED_KNOBS}
    firsts = {knob.name: knob.values[0] for knob in of_blocks if knob.name not in of_gated}
    rows = 0
    for blocks in depth.values:
        following = different(**firsts | {depth.name: blocks}).total() if follow else 1
        for width, widths in _alike(of_blocks).items():
            found = different(width=width, **{depth.name: blocks}, **nothing)
            rows += widths * (found[True] + following * found[False])
    return rows


def _alike(knobs: tuple[Knob, ...]) -> Counter[Value]:
    """One width of those at which the same knobs apply, and how many there are of them."""
    named = [knob.when["width"] for knob in knobs if "width" in knob.when]
    (width,) = (knob for knob in knobs if knob.name == "width")
    first: dict[tuple[bool, ...], Value] = {}
    return Counter(first.setdefault(tuple(value in values for values in named), value) for value in width.values)


def _values(knob: Knob, chosen: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What ``knob`` can add to ``chosen``: each of its values, or nothing where it does not apply."""
    yield from ({knob.name: value} for value in knob.values) if knob.applies(chosen) else ({},)
