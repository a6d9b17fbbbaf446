"""Of a family: the largest network, which decides it, and the designs on which its weights are trained."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations, product

import numpy as np
import torch

from search.candidates.screening import Screen
from space.architecture import Architecture
from space.errors import UserError
from space.knobs import Value
from space.search_space import Parameter, Values, first
from space.weight_bank import WeightBank, slots
from space.weight_bank.families import elastic_of

SPREAD = 40  # designs drawn evenly in the logarithm of the cost, from the smallest to the largest
SAMPLED = 400  # random designs of the family among which they are chosen
FEWEST = 4  # designs; below that a family is not worth a training
WIDTH = "width"


def largest_of(screen: Screen, kinds: Mapping[str, Value], at_least: Mapping[str, Value]) -> Values | None:
    """The largest network of a family of these ``kinds``: neither the widest nor the deepest that fits the budget, but
    between them, a third of the way from the narrowest to the widest in the logarithm; None if none fits.

    Args:
        at_least: numbers that it should reach; it is among those that do if there is one.
    """
    elastic = list(elastic_of(screen.space, kinds))
    numbers = [each for each in elastic if not isinstance(each.values[0], str) and each.key != WIDTH]
    width = next(each for each in elastic if each.key == WIDTH)
    found: list[Values] = []
    fitting: dict[tuple[int, ...], int] = {}  # by the places of numbers among their values
    for places in product(*(range(len(each.values)) for each in numbers)):
        given = {**kinds, **{each.key: each.values[place] for each, place in zip(numbers, places, strict=True)}}
        smaller = [fitting[lower] for lower in _one_lower(places)]
        fitting[places] = _widths(screen, given, width, min(smaller, default=len(width.values)))
        if fitting[places]:
            found.append(_with_width(screen, given, width, fitting[places] - 1))
    if not found:
        return None
    reaching = [values for values in found if all(_reaches(values, key, least) for key, least in at_least.items())]
    ends = _maximal(reaching or found, [WIDTH, *(each.key for each in numbers)])
    widths = np.log([float(values[WIDTH]) for values in ends])
    away = np.abs(widths - (2 * widths.min() + widths.max()) / 3)
    nearest = np.flatnonzero(away == away.min())
    return ends[nearest[len(nearest) // 2]]


def _one_lower(places: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """``places`` with one of them the next lower one."""
    for index, place in enumerate(places):
        if place:
            yield (*places[:index], place - 1, *places[index + 1 :])


def _widths(screen: Screen, given: Mapping[str, Value], width: Parameter, most: int) -> int:
    """How many widths fit, at most ``most``: costs rise with every number, so as many as fit with a lower one, or
    fewer."""
    low, high = 0, most
    middle = most - 1  # often as many
    while low < high:
        if screen.excess(_with_width(screen, given, width, middle)) <= 0:
            low = middle + 1
        else:
            high = middle
        middle = (low + high) // 2
    return low


def _with_width(screen: Screen, given: Mapping[str, Value], width: Parameter, place: int) -> Values:
    return screen.space.fill(first, {**given, WIDTH: width.values[place]})


def _reaches(values: Values, key: str, least: Value) -> bool:
    own = values.get(key)
    if isinstance(own, str) or isinstance(least, str) or own is None:
        return True
    return own >= least


def _maximal(points: Sequence[Values], keys: Sequence[str]) -> list[Values]:
    """Those that no other exceeds in one number without falling behind in another."""

    numbers = np.array([[float(point.get(key, 0)) for key in keys] for point in points])

    def is_below(row: np.ndarray) -> bool:
        return bool(((numbers >= row).all(1) & (numbers > row).any(1)).any())

    return [point for point, row in zip(points, numbers, strict=True) if not is_below(row)]


def designs_of(
    screen: Screen, generator: np.random.Generator, largest: Values, own: Sequence[Architecture] = ()
) -> tuple[Architecture, ...]:
    """Designs of a family within the budget, cheapest first; the largest is the last whatever it costs.

    A bank that covers them covers the family. () if hardly one fits.

    Args:
        screen: of the family's part of the search space.
        own: designs of the family that are wanted among them, also off the grid.
    """
    drawn = (screen.space.random(generator) for _ in range(SAMPLED))
    wanted = [*_ends(screen, largest), *own]
    priced = _priced(screen, (*map(screen.space.decode, drawn), *wanted))
    top = screen.space.decode(largest)
    chosen = {*_spread(priced), *wanted} - {top}
    kept = [arch for arch, _ in sorted(priced.items(), key=lambda pair: pair[1]) if arch in chosen and can_share(arch)]
    return (*kept, top) if len(kept) >= FEWEST and can_share(top) else ()


def _ends(screen: Screen, largest: Values) -> Iterator[Architecture]:
    """The largest network with other values of one elastic choice, or two, that give it parts of its own: networks
    whose parts are no wider have all weights in common with these. Where it does not fit so, a shallow one."""
    elastic = [each for each in elastic_of(screen.space, largest) if each.key != WIDTH and each.key in largest]
    shallow = {each.key: each.values[0] for each in elastic if not isinstance(each.values[0], str)}
    bank, generator = WeightBank(), torch.Generator()
    for turned in ((), *combinations(elastic, 1), *combinations(elastic, 2)):
        for chosen in product(*(each.values for each in turned)):
            values = {each.key: value for each, value in zip(turned, chosen, strict=True)}
            whole = screen.space.fill(first, {**largest, **values})
            if screen.excess(whole) > 0:
                whole = screen.space.fill(first, {**largest, **shallow, **values})
            design = screen.space.decode(whole)
            if can_share(design) and not bank.covers(design):
                bank.cover(design, generator)
                yield design


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
    for wanted in np.linspace(logs[0], logs[-1], SPREAD) if ordered else ():
        yield ordered[int(np.abs(logs - wanted).argmin())][0]


def can_share(arch: Architecture) -> bool:
    """Whether its weights can be slices of others' (``space.weight_bank.layout.slots``)."""
    try:
        slots(arch)
    except UserError:
        return False
    return True
