"""Families of networks that one set of weights can serve: of one backbone, with the same kinds of blocks.

Any networks can share a bank, but only parts of the same kind share tensors. In a family networks differ in the knobs
that are ``elastic`` alone: in sizes, and in small parts such as the upsampler. All else is the same in all of them,
also what has no weights and yet changes what weights must do: with and without an input skip, the last convolution
would have to learn the image and what is missing in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from space.knobs import Value
from space.search_space import BACKBONE, Parameter, SearchSpace, Values


@dataclass(frozen=True)
class Family:
    """Networks of a search space whose knobs are as ``held`` says, but for the elastic ones.

    >>> import space
    >>> task = space.TASKS["sr"]
    >>> searched = space.SearchSpace(task, task.shape(4))
    >>> values = searched.fill(lambda choice: choice.values[0], {"backbone": "plain"})
    >>> family = Family.of(searched, values)
    >>> family.holds({**values, "width": 32}), family.holds({**values, "recursion": 2})
    (True, False)
    """

    held: tuple[tuple[str, Value], ...]

    @classmethod
    def of(cls, space: SearchSpace, values: Mapping[str, Value]) -> Family:
        """The one that the point ``values`` belongs to."""
        elastic = {parameter.key for parameter in space.of(str(values[BACKBONE])) if parameter.knob.elastic}
        return cls(tuple((key, value) for key, value in values.items() if key not in elastic))

    @cached_property
    def values(self) -> Values:
        return dict(self.held)

    @property
    def name(self) -> str:
        """For a person: its backbone and what its blocks are."""
        words = [str(self.values[BACKBONE])]
        words += [str(self.values[key]) for key in ("block", "convolution", "ar_convolution") if key in self.values]
        words += [f"{key} {self.values[key]}" for key in ("inverted_ratio", "malle") if self._differs(key)]
        return " ".join(words)

    def _differs(self, key: str) -> bool:
        return self.values.get(key, 0.0) not in (0.0, "none")

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether the point ``values`` belongs to it."""
        return all(values.get(key) == value for key, value in self.held)

    def space(self, whole: SearchSpace) -> SearchSpace:
        """Its part of the search space ``whole``."""
        return whole.within(self.values)

    def elastic(self, whole: SearchSpace) -> Iterator[Parameter]:
        """The choices in which its networks differ."""
        return (parameter for parameter in whole.of(str(self.values[BACKBONE])) if parameter.knob.elastic)


def random_family(space: SearchSpace, generator: np.random.Generator, given: Mapping[str, Value]) -> Family:
    """One at random among those with the values in ``given``."""
    return Family.of(space, space.random(generator, given))
