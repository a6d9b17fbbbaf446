"""What a surrogate sees of a design: every knob of the space, and the logarithms of exact costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from evaluators.costs import Costs
from space.knobs import Value
from space.search_space import SearchSpace

ALWAYS = ("params", "macs")  # costs that say much about quality, whether they are objectives or not
APART = 0.5**0.5  # of a category's coordinate: two categories are then at distance 1, as the ends of a number are


@dataclass(frozen=True)
class Block:
    """The coordinates of one knob or cost, which share a length scale."""

    name: str
    values: tuple[Value, ...] = ()
    is_number: bool = True

    @property
    def width(self) -> int:
        return 2 if self.is_number and self.values else max(1, len(self.values))

    @cached_property
    def coordinates_of(self) -> dict[Value | None, list[float]]:
        """Of each value, and of None where the knob does not apply."""
        count = len(self.values)
        if self.is_number:
            ranks = np.linspace(0, 1, count).tolist()
            return {None: [0.5, APART]} | {value: [rank, 0.0] for value, rank in zip(self.values, ranks, strict=True)}
        return {None: [0.0] * count} | {
            value: (APART * np.eye(count)[at]).tolist() for at, value in enumerate(self.values)
        }


class Features:
    """Designs of one space as rows of numbers.

    A knob of numbers is its rank among its values, from 0 to 1, and whether it applies; one of names a coordinate per
    name, all of which are 0 where it does not apply. A cost is its decimal logarithm.
    """

    def __init__(self, space: SearchSpace, cost_objectives: Sequence[str]) -> None:
        values: dict[str, dict[Value, None]] = {}
        for parameter in space.parameters:
            values.setdefault(parameter.key, {}).update(dict.fromkeys(parameter.values))
        self._knobs = tuple(Block(key, *_in_order(tuple(known))) for key, known in values.items() if len(known) > 1)
        self._costs = tuple(dict.fromkeys((*ALWAYS, *cost_objectives)))
        self.blocks = (*self._knobs, *(Block(cost) for cost in self._costs))

    @property
    def block_of(self) -> np.ndarray:
        """`(coordinates,)`: the position in ``blocks`` of the block that each belongs to."""
        return np.repeat(np.arange(len(self.blocks)), [block.width for block in self.blocks])

    def row(self, values: Mapping[str, Value], costs: Costs) -> np.ndarray:
        """`(coordinates,)` of the design at ``values``; of a published network some may lie off the grid.

        Raises:
            UserError: ``costs`` lacks milliseconds that are an objective.
        """
        found = [coordinate for block in self._knobs for coordinate in _coordinates(block, values.get(block.name))]
        return np.array([*found, *(np.log10(costs.of(cost)) for cost in self._costs)])


def _in_order(values: tuple[Value, ...]) -> tuple[tuple[Value, ...], bool]:
    """``values``, numbers by size, and whether they are numbers."""
    numbers = [value for value in values if not isinstance(value, str)]
    return (tuple(sorted(numbers)), True) if len(numbers) == len(values) else (values, False)


def _coordinates(block: Block, value: Value | None) -> list[float]:
    known = block.coordinates_of
    if value in known:
        return known[value]
    if not block.is_number or isinstance(value, str) or value is None:
        return known[None]
    return [float(np.interp(value, np.array(block.values, float), np.linspace(0, 1, len(block.values)))), 0.0]
