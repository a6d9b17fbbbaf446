"""Designs that a proposer considers: points of the space that fit the budget, with their exact costs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from evaluators.costs import Costs
from search.candidates.repair import repaired
from search.candidates.screening import Screen
from space.errors import UserError
from space.knobs import Value
from space.search_space import BACKBONE, Parameter, SearchSpace, Values

REPAIRED = 10  # one point in so many fits, or some are repaired: a walk down prices dozens
TURNED = 0.5  # probability that a mutation turns one knob more
LARGEST_CACHE = 50_000


@dataclass(frozen=True)
class Design:
    """A point within the budget; ``key`` is its architecture's."""

    key: str
    values: Values
    costs: Costs


class Designs:
    """Prices the points of one run's space, each architecture once."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self._known: dict[str, Costs | None] = {}  # by key; None: over the budget, or not to be priced
        self._drawn: dict[str, tuple[int, Design]] = {}  # by key; with the number of the draw
        self._draws, self._generator = 0, np.random.default_rng((screen.settings.seed, 0))

    def design(self, values: Values) -> Design | None:
        """The design at a point; None if it is over the budget, or a table cannot price it."""
        arch = self.screen.space.decode(values)
        key = arch.key
        if key not in self._known:
            if len(self._known) > LARGEST_CACHE:
                self._known.clear()
            try:
                costs = self.screen.costs(arch)
                self._known[key] = costs if self.screen.budget.allows(costs) else None
            except UserError:
                self._known[key] = None
        found = self._known[key]
        return None if found is None else Design(key, values, found)

    def drawn(self, draws: int) -> list[Design]:
        """Different random designs: those of the first ``draws`` points that fit the budget. Where less than one point
        in ``REPAIRED`` fits, some are repaired."""
        while self._draws < draws:
            values = self.screen.space.random(self._generator)
            design = self.design(values)
            if design is None and len(self._drawn) < self._draws // REPAIRED:
                near = repaired(values, self.screen, self._generator, self._drawn.keys())
                design = None if near is None else self.design(near)
            if design is not None:
                self._drawn.setdefault(design.key, (self._draws, design))
            self._draws += 1
        return [design for draw, design in self._drawn.values() if draw < draws]

    def offspring(
        self, parents: Sequence[Values], count: int, taken: Collection[str], generator: np.random.Generator
    ) -> list[Design]:
        """Different designs out of ``count`` mutations and crossovers of ``parents``; none ``taken`` (by key)."""
        found: dict[str, Design] = {}
        for _ in range(count if parents else 0):
            one, other = (parents[int(index)] for index in generator.integers(len(parents), size=2))
            child = crossed(self.screen.space, one, other, generator) if generator.random() < 0.5 else one
            design = self.design(mutated(self.screen.space, child, generator))
            if design is not None and design.key not in taken:
                found.setdefault(design.key, design)
        return list(found.values())

    def neighbours(self, values: Values, taken: Collection[str]) -> Iterator[Design]:
        """Designs that differ from ``values`` in one knob, none ``taken`` (by key)."""
        for _, near in self.screen.space.neighbours(values):
            design = self.design(near)
            if design is not None and design.key not in taken:
                yield design


def mutated(space: SearchSpace, values: Values, generator: np.random.Generator) -> Values:
    """``values`` with one knob or more elsewhere, if any has another value; what comes to apply is random."""
    random, before = _random(generator), values
    while True:
        own = [parameter for parameter in space.of(str(values[BACKBONE])) if parameter.key in values]
        turned = own[int(generator.integers(len(own)))]
        others = [value for value in turned.values if value != values[turned.key]]
        if others:
            values = space.turned(values, turned.key, others[int(generator.integers(len(others)))], random)
        if generator.random() < TURNED:
            continue
        found = _on_grid(space, values, generator)
        if found != before or all(len(parameter.values) == 1 for parameter in own):
            return found  # and not what two turns of one knob gave back


def crossed(space: SearchSpace, one: Values, other: Values, generator: np.random.Generator) -> Values:
    """Every knob from one of two points; the backbone is that of the first."""
    random = _random(generator)

    def choose(parameter: Parameter) -> Value:
        sources = [point for point in (one, other) if point.get(parameter.key) in parameter.values]
        return sources[int(generator.integers(len(sources)))][parameter.key] if sources else random(parameter)

    return space.fill(choose, {BACKBONE: one[BACKBONE]})


def _on_grid(space: SearchSpace, values: Values, generator: np.random.Generator) -> Values:
    """A published network may lie off the grid: what does is drawn anew."""
    return space.fill(_random(generator), {each.key: values[each.key] for each in space.on_grid(values)})


def _random(generator: np.random.Generator) -> Callable[[Parameter], Value]:
    return lambda parameter: parameter.values[int(generator.integers(len(parameter.values)))]
