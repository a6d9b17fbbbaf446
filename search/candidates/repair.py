"""Repair of proposals over the budget: turn knobs down until the network fits, since screening is cheap.

Of 2,000 random x2 networks none runs within 30 ms on a Pixel 4 core at 160x120, and a sampler that only learns by how
much it is over makes about fifty failed proposals before one fits. A walk down from each proposal finds one that fits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import zip_longest

import numpy as np

from search.candidates.screening import Screen
from space.knobs import Value
from space.search_space import BACKBONE, Parameter, SearchSpace, Values

SKIP = "input_skip"
FROM_INPUT = ("push-pull", "identity", "bicubic")  # skips with which a network begins as its input
CLEARLY = 0.03  # of the limit: what a turn should save, for a short walk; a smaller step only where there is no other
WALKS = 4  # from one proposal, in other orders, before it counts as a repeat


def repaired(
    values: Mapping[str, Value], screen: Screen, generator: np.random.Generator, taken: Collection[str] = ()
) -> Values | None:
    """A point near ``values``, with the same backbone, whose network fits the budget; None if no walk finds one.

    It has an input skip if the budget leaves room for one, and is not one of the ``taken`` architectures (by key).
    """
    space = screen.space
    for _ in range(WALKS):
        found = _walk_down(values, screen, generator)
        if found is None:
            return None
        found = _from_input(found, screen)
        if space.decode(found).key not in taken:
            return found
        for near in _shuffled_turns(space, found, generator):
            if screen.excess(near) <= 0 and space.decode(near).key not in taken:
                return near
    return None


def _walk_down(values: Mapping[str, Value], screen: Screen, generator: np.random.Generator) -> Values | None:
    """One knob at a time, the first in random order that clearly saves something; the skip that a network begins with
    goes last."""
    here, excess = dict(values), screen.excess(values)
    while excess > 0:
        best, least = None, excess
        turned = _shuffled_turns(screen.space, here, generator)
        for near in sorted(turned, key=lambda near: near.get(SKIP) != here.get(SKIP)):
            if best is not None and near.get(SKIP) != here.get(SKIP):
                break
            reached = screen.excess(near)
            if reached < least:
                best, least = near, reached
                if least <= excess - CLEARLY:
                    break
        if best is None:
            return None
        here, excess = best, least
    return here


def _from_input(values: Values, screen: Screen) -> Values:
    """``values`` with a skip from the input if they have none and one fits: untrained, the network does no harm."""
    if values.get(SKIP) == "none":
        own = screen.space.of(str(values[BACKBONE]))
        offered = next(parameter.values for parameter in own if parameter.key == SKIP)
        for skip in FROM_INPUT:
            if skip in offered and screen.excess({**values, SKIP: skip}) <= 0:
                return {**values, SKIP: skip}
    return values


def _shuffled_turns(space: SearchSpace, values: Mapping[str, Value], generator: np.random.Generator) -> list[Values]:
    """Every turn: one of each knob in random order, then another of each, and so on; width and depth, which save most,
    do not stand behind all kinds of blocks."""
    of_knob: dict[str, list[Values]] = {}
    for key, near in _turns(space, values):
        of_knob.setdefault(key, []).append(near)
    rows = [[own[index] for index in generator.permutation(len(own))] for own in of_knob.values()]
    rows = [rows[index] for index in generator.permutation(len(rows))]
    return [near for turn in zip_longest(*rows) for near in turn if near is not None]


def _turns(space: SearchSpace, values: Mapping[str, Value]) -> Iterator[tuple[str, Values]]:
    """``values`` with one knob elsewhere, and which; what comes to apply takes its first values, then one of it
    another."""
    for turned, near in space.neighbours(values, _step_or_half):
        yield turned.key, near
        for parameter in space.of(str(near[BACKBONE])):
            if parameter.key in near.keys() - values.keys():
                for value in parameter.values[1:]:
                    yield turned.key, space.turned(near, parameter.key, value)


def _step_or_half(parameter: Parameter, value: Value) -> Iterable[Value]:
    """Of evenly spaced numbers, those one step away and the one half the way down; else all others."""
    at, count = parameter.values.index(value), len(parameter.values)
    others = range(count) if parameter.step is None else {at // 2, at - 1, at + 1}
    return (parameter.values[index] for index in others if index != at and 0 <= index < count)
