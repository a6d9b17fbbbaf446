"""Into a tight budget: knobs are turned down until the network fits, for screening a network costs next to nothing.

Of 2,000 random x2 networks none runs within 30 ms of a Pixel 4 core at 160x120, and a sampler that only hears how far
it is over proposes some fifty in vain before it finds one that fits. Walks down from its proposals find one each.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from evaluators.costs import architecture_costs
from search.budget import Budget
from search.latency import load_used
from search.records import RunSettings
from space.architecture import Architecture
from space.build import architecture, backbone
from space.errors import UserError
from space.knobs import Knob, active

Knobs = dict[str, Any]
SKIP = "input_skip"
FROM_INPUT = ("push-pull", "identity", "bicubic")  # skips with which a network begins as its input
CLEARLY = 0.03  # of the limit: what a turn should save, for a short walk; a smaller step only where there is no other
WALKS = 4  # from one proposal, in other orders, before it counts as a repeat


class Screen:
    """Costs of networks by their knobs, for one run; ``knobs`` everywhere without the backbone."""

    def __init__(self, settings: RunSettings, budget: Budget) -> None:
        self._settings, self._budget, self._tables = settings, budget, load_used(settings.tables)

    def family(self, name: str) -> tuple[Knob, ...]:
        return backbone(name).knobs_for(self._settings.shape)

    def arch(self, name: str, knobs: Mapping[str, Any]) -> Architecture:
        return architecture(self._settings.shape, name, dict(knobs))

    def excess(self, name: str, knobs: Mapping[str, Any]) -> float:
        """How far the worst limit is exceeded, as a share of it; 0 or less fits, infinite cannot be priced."""
        try:
            costs = architecture_costs(self.arch(name, knobs), self._settings.input_size, self._tables)
            return max((limit.excess(costs) / limit.value for limit in self._budget.limits), default=-1.0)
        except UserError:
            return float("inf")


def fitted(
    name: str, knobs: Mapping[str, Any], screen: Screen, generator: np.random.Generator, taken: Collection[str] = ()
) -> Knobs | None:
    """Knobs near ``knobs`` of the backbone ``name`` whose network fits the budget, begins as its input where the budget
    leaves room for that, and is none of the ``taken`` architectures (by key). None where no walk finds one."""
    for _ in range(WALKS):
        found = _walk_down(name, knobs, screen, generator)
        if found is None:
            return None
        found = _from_input(name, found, screen)
        if screen.arch(name, found).key not in taken:
            return found
        for near in _shuffled(_turns(screen.family(name), found), generator):
            if screen.excess(name, near) <= 0 and screen.arch(name, near).key not in taken:
                return near
    return None


def _walk_down(name: str, knobs: Mapping[str, Any], screen: Screen, generator: np.random.Generator) -> Knobs | None:
    """One knob at a time, the first in random order that clearly saves something; the skip that a network begins with
    goes last."""
    here, excess = dict(knobs), screen.excess(name, knobs)
    while excess > 0:
        best, least = None, excess
        turned = list(_shuffled(_turns(screen.family(name), here), generator))
        for near in sorted(turned, key=lambda near: near.get(SKIP) != here.get(SKIP)):
            if best is not None and near.get(SKIP) != here.get(SKIP):
                break
            reached = screen.excess(name, near)
            if reached < least:
                best, least = near, reached
                if least <= excess - CLEARLY:
                    break
        if best is None:
            return None
        here, excess = best, least
    return here


def _from_input(name: str, knobs: Knobs, screen: Screen) -> Knobs:
    """``knobs`` with a skip from the input if they have none and one fits; untrained, the network then does no harm."""
    offered = next((knob.values for knob in screen.family(name) if knob.name == SKIP and knob.name in knobs), ())
    if knobs.get(SKIP) == "none":
        for value in FROM_INPUT:
            if value in offered and screen.excess(name, {**knobs, SKIP: value}) <= 0:
                return {**knobs, SKIP: value}
    return knobs


def _turns(family: tuple[Knob, ...], knobs: Mapping[str, Any]) -> Iterator[Knobs]:
    """``knobs`` with one of them at another value, numbers one step away or half the way down; what comes to apply
    takes its first value."""
    for knob in family:
        if knob.name not in knobs:
            continue
        at = knob.values.index(knobs[knob.name])
        others = range(len(knob.values)) if knob.step is None else {at // 2, at - 1, at + 1}
        for index in others:
            if index != at and 0 <= index < len(knob.values):
                yield _whole(family, {**knobs, knob.name: knob.values[index]})


def _whole(family: tuple[Knob, ...], wanted: Mapping[str, Any]) -> Knobs:
    chosen: Knobs = {}
    for knob in active(family, chosen):
        chosen[knob.name] = wanted.get(knob.name, knob.values[0])
    return chosen


def _shuffled(found: Iterator[Knobs], generator: np.random.Generator) -> Iterator[Knobs]:
    known = list(found)
    return (known[index] for index in generator.permutation(len(known)))
