"""The designs on which a family's weights are trained: evenly spread over the cost, and the ends of every choice."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from search.candidates.repair import repaired
from search.candidates.screening import Screen
from space.architecture import Architecture
from space.errors import UserError
from space.knobs import Value
from space.search_space import BACKBONE, Parameter, Values, first
from space.weight_bank import slots

SPREAD = 40  # designs drawn evenly in the logarithm of the cost, from the smallest to the largest
SAMPLED = 400  # random designs of the family among which they are chosen
FEWEST = 4  # of them; below that the family is not worth a training


def designs_of(
    screen: Screen, generator: np.random.Generator, own: Sequence[Architecture] = ()
) -> tuple[Architecture, ...]:
    """Designs within the budget, cheapest first in the first cost objective; () if hardly one of the family fits.

    Args:
        screen: of the family's part of the search space.
        own: designs of the family that are wanted among them, also off the grid.

    To every value of every elastic choice belongs the widest and the deepest design that has it and fits, so that a
    bank that covers them covers nearly all others.
    """
    drawn = [screen.space.random(generator) for _ in range(SAMPLED)]
    fitting = [values for values in drawn if screen.excess(values) <= 0]
    if len(fitting) < SPREAD:
        # Under a tight budget few fit by chance: others are turned down until they do.
        near = (repaired(values, screen, generator) for values in drawn[:SPREAD])
        fitting += [values for values in near if values is not None]
    if not fitting:
        return ()
    ends = list(_ends(screen, fitting[0]))
    wanted = [*(screen.space.decode(values) for values in ends), *own]
    priced = _priced(screen, (*(screen.space.decode(values) for values in fitting), *wanted))
    chosen = {*_spread(priced), *wanted}
    kept = [arch for arch, _ in sorted(priced.items(), key=lambda pair: pair[1]) if arch in chosen and can_share(arch)]
    return tuple(kept) if len(kept) >= FEWEST else ()


def _ends(screen: Screen, start: Values) -> Iterator[Values]:
    """For each value of each elastic choice, the design that has it, is the largest in one number, and fits."""
    elastic = [parameter for parameter in screen.space.of(str(start[BACKBONE])) if parameter.knob.elastic]
    smallest = screen.space.fill(first, {key: value for key, value in start.items() if not _is_in(key, elastic)})
    for parameter in elastic:
        if parameter.step is None and parameter.key in smallest:
            turned = [screen.space.fill(first, {**smallest, parameter.key: value}) for value in parameter.values]
            smallest = min(turned, key=screen.excess)
    for parameter in elastic:
        for value in parameter.values:
            for number in elastic:
                if number.key == parameter.key or number.step is None:
                    continue
                largest = _largest(screen, {**smallest, parameter.key: value}, number)
                if largest is not None:
                    yield largest


def _is_in(key: str, parameters: Iterable[Parameter]) -> bool:
    return any(parameter.key == key for parameter in parameters)


def _largest(screen: Screen, values: Values, number: Parameter) -> Values | None:
    """``values`` with the largest of ``number`` at which they fit; costs rise with it."""
    fits: Values | None = None
    low, high = 0, len(number.values)
    while low < high:
        middle = (low + high) // 2
        turned = screen.space.fill(first, {**values, number.key: _value(number, middle)})
        if screen.excess(turned) <= 0:
            fits, low = turned, middle + 1
        else:
            high = middle
    return fits


def _value(number: Parameter, index: int) -> Value:
    return number.values[index]


def _priced(screen: Screen, designs: Iterable[Architecture]) -> dict[Architecture, float]:
    """The first cost objective of each different design that can be priced and fits."""
    cost = screen.settings.objectives[1] if len(screen.settings.objectives) > 1 else "macs"
    found: dict[Architecture, float] = {}
    for arch in designs:
        if arch in found:
            continue
        try:
            costs = screen.costs(arch)
        except UserError:
            continue
        if screen.budget.allows(costs):
            found[arch] = costs.of(cost)
    return found


def _spread(priced: dict[Architecture, float]) -> Iterator[Architecture]:
    """``SPREAD`` of them, the nearest to evenly spaced logarithms of the cost."""
    ordered = sorted(priced.items(), key=lambda pair: pair[1])
    logs = np.log(np.maximum([cost for _, cost in ordered], math.ulp(1.0)))
    for wanted in np.linspace(logs[0], logs[-1], SPREAD):
        yield ordered[int(np.abs(logs - wanted).argmin())][0]


def can_share(arch: Architecture) -> bool:
    """Whether its weights can be slices of others' (``space.weight_bank.layout.slots``)."""
    try:
        slots(arch)
    except UserError:
        return False
    return True
