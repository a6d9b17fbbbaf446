"""The size of a search space: knob choices, and the distinct architectures that they describe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from typing import Any

from space.architecture import IOShape
from space.backbones import Backbone
from space.backbones.row import (
    ACTIVATION_KEPT,
    GATED,
    GATED_KNOBS,
    INVERTED_AT,
    INVERTED_RATIO,
    ROW_KNOBS,
    SECOND,
    second_of,
)
from space.blocks import BLOCKS
from space.blocks.block import BlockSpec
from space.knobs import Knob, Value
from space.row_count import Choice, RowKinds

# Knobs that together say which blocks a trunk has: of these two choices may mean the same blocks. Every other knob's
# value stands in the settings for itself.
DEPTHS = ("blocks", "blocks_per_stage")  # how many blocks there are, by the backbone
OF_ROW = frozenset({*DEPTHS, INVERTED_RATIO.name, INVERTED_AT.name, ACTIVATION_KEPT.name})  # none of a single block
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
    of_gated = {knob.name for knob in GATED_KNOBS}
    own = tuple(knob for knob in of_blocks if knob.name not in of_gated)
    firsts = {knob.name: knob.values[0] for knob in own}

    def settings(knobs: tuple[Knob, ...], held: Mapping[str, Value]) -> set[Any]:
        return {backbone.settings_from_knobs({**fixed, **chosen}) for chosen in all_choices(_held(knobs, held))}

    following = {blocks: len(settings(of_blocks, {**firsts, depth.name: blocks})) for blocks in depth.values}
    rows = 0
    for width, widths in _alike(of_blocks).items():
        for kinds in _row_kinds(_held(own, {"width": width})):
            are_gated = kinds.example["block"] == GATED
            for blocks in depth.values:
                examples = settings(own, {**kinds.example, depth.name: blocks})
                found = kinds.count(tuple(_specs_in(example)) for example in examples)
                rows += widths * (1 if are_gated else following[blocks]) * found
    return rows


def _row_kinds(knobs: tuple[Knob, ...]) -> Iterator[RowKinds]:
    """Blocks that ``knobs`` offer at their only width: gated ones, inverted ones, and others with inverted ones."""
    (ratio,) = (knob for knob in knobs if knob.name == INVERTED_RATIO.name)
    none, some = min(ratio.values), max(ratio.values)
    of_row = {knob.name: knob.values[0] for knob in knobs if knob.name in OF_ROW}
    groups: dict[tuple[bool, bool], dict[BlockSpec, dict[str, Any]]] = {}
    for chosen in all_choices(_held(knobs, {**of_row, ratio.name: none})):
        spec = BLOCKS[chosen["block"]].from_knobs(chosen["width"], chosen)
        groups.setdefault((chosen["block"] == GATED, ratio.applies(chosen)), {}).setdefault(spec, chosen)
    for (_, has_second), firsts in groups.items():
        first = _changing(firsts)
        seconds: dict[BlockSpec, dict[str, Any]] = {}
        if has_second and some:
            for chosen in all_choices(_held(knobs, {**firsts[first], **of_row, ratio.name: some})):
                seconds.setdefault(second_of(chosen["width"], chosen), chosen)
        example = {**firsts[first], **(seconds[_changing(seconds)] if seconds else {})}
        example = {name: value for name, value in example.items() if name not in OF_ROW}
        yield RowKinds(Choice(firsts), Choice(seconds), SECOND, example)


def _changing(specs: Iterable[BlockSpec]) -> BlockSpec:
    """The first of ``specs`` that is another one without its activation, if any is."""
    listed = list(specs)
    return next((spec for spec in listed if spec.linear() != spec), listed[0])


def _specs_in(settings: Any) -> Iterator[BlockSpec]:
    """The blocks of ``settings``, in the order of its fields."""
    if isinstance(settings, BlockSpec):
        yield settings
    elif isinstance(settings, tuple):
        for each in settings:
            yield from _specs_in(each)
    elif is_dataclass(settings):
        for part in fields(settings):
            yield from _specs_in(getattr(settings, part.name))


def _held(knobs: tuple[Knob, ...], values: Mapping[str, Value]) -> tuple[Knob, ...]:
    """``knobs``, with a single value of those that ``values`` names."""
    return tuple(replace(knob, values=(values[knob.name],)) if knob.name in values else knob for knob in knobs)


def _alike(knobs: tuple[Knob, ...]) -> Counter[Value]:
    """One width of those at which the same knobs apply, and how many there are of them."""
    named = [knob.when["width"] for knob in knobs if "width" in knob.when]
    (width,) = (knob for knob in knobs if knob.name == "width")
    first: dict[tuple[bool, ...], Value] = {}
    return Counter(first.setdefault(tuple(value in values for values in named), value) for value in width.values)


def _values(knob: Knob, chosen: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What ``knob`` can add to ``chosen``: each of its values, or nothing where it does not apply."""
    yield from ({knob.name: value} for value in knob.values) if knob.applies(chosen) else ({},)
