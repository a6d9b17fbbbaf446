"""Families of networks that one set of weights can serve: of one backbone, with the same kinds of blocks, none larger
than a largest one.

Any networks can share a bank, but only parts of the same kind share tensors, and what one network does to the weights
must suit the others. In a family networks differ in the knobs that are ``elastic`` alone, and the largest, which every
step trains, has all weights of all others. All else is the same in all of them, also what has no weights and yet
changes what weights must do. With and without an input skip, the last convolution would have to learn the image and
what is missing in it; and trained with and without their activations at once, plain residual networks of 8 to 28
channels inherit 0.46 to 0.57 dB above bicubic after 200 steps and less after 400, 0.32 to 0.38, where those of one kind
have 0.59 to 0.96. With every upsampler at once they have 0.65, 0.72, 0.73, 0.75, 0.89 and 1.02 after 520 steps (8x4,
8x10, 12x8, 16x12, 24x10, 28x12), with one 0.70, 0.79, 0.84, 0.88, 0.96 and 1.01 in less time (all by ``python -m
tests.benchmarks.family_quality``, the first two with ``--between 2``).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from space.knobs import Value
from space.search_space import BACKBONE, Parameter, SearchSpace, Values, first

NAMED = ("block", "convolution", "ar_convolution", "gate", "spab_convolution", "upsampler")  # what a name consists of
USUAL: Mapping[str, tuple[Value, ...]] = {
    "activation_kept": ("all",),
    "residual_scale": (1.0,),
    "recursion": (1,),
    "input_skip": ("bicubic", "push-pull"),
}
"""Of other kinds of parts, what no name tells; of all that are not here it is "none", or no share."""


@dataclass(frozen=True)
class Family:
    """Networks of a search space whose knobs are as ``held`` says, but for the elastic ones: numbers up to those in
    ``most``, and names, which in its largest network are ``names``.

    >>> import space
    >>> task = space.TASKS["sr"]
    >>> searched = space.SearchSpace(task, task.shape(4))
    >>> values = searched.fill(lambda choice: choice.values[2], {"backbone": "plain"})
    >>> family = Family.below(searched, values)
    >>> family.holds({**values, "width": 8}), family.holds({**values, "width": 64})
    (True, False)
    """

    held: tuple[tuple[str, Value], ...]
    most: tuple[tuple[str, int | float], ...]
    names: tuple[tuple[str, str], ...] = ()

    @classmethod
    def below(cls, space: SearchSpace, largest: Mapping[str, Value]) -> Family:
        """The one whose largest network is at the point ``largest``."""
        elastic = [each for each in elastic_of(space, largest) if each.key in largest]
        keys = {each.key for each in elastic}
        chosen = [(each.key, largest[each.key]) for each in elastic]
        return cls(
            tuple((key, value) for key, value in largest.items() if key not in keys),
            tuple((key, value) for key, value in chosen if not isinstance(value, str)),
            tuple((key, value) for key, value in chosen if isinstance(value, str)),
        )

    @property
    def name(self) -> str:
        """For a person: its backbone, what its blocks are, whatever else is not as in most, and how large it gets."""
        values = {**self.values, **dict(self.names)}
        words = [str(values[BACKBONE])]
        words += [str(values[key]) for key in NAMED if key in values]
        words += [f"{key} {values[key]}" for key in self.values if _is_unusual(key, values[key])]
        return f"{' '.join(words)} (up to {', '.join(f'{key} {value}' for key, value in self.most)})"

    @cached_property
    def values(self) -> Values:
        return dict(self.held)

    def largest(self, whole: SearchSpace) -> Values:
        """The point of its largest network."""
        return whole.fill(first, {**self.values, **dict(self.most), **dict(self.names)})

    def holds(self, values: Mapping[str, Value]) -> bool:
        """Whether the point ``values`` belongs to it."""
        return all(values.get(key) == value for key, value in self.held) and not self.exceeded(values)

    def exceeded(self, values: Mapping[str, Value]) -> Values:
        """The numbers at ``values`` that are larger than its largest network's, with those of that network."""
        return {key: most for key, most in self.most if _number(values.get(key)) > most}

    def within_reach(self, whole: SearchSpace, values: Mapping[str, Value]) -> Values:
        """The nearest of its points to ``values``, which may be of another backbone: what those have no value for is as
        in its smallest network."""
        turned = {**values, **self.values}
        known = {each.key: turned[each.key] for each in whole.on_grid(turned)}
        return whole.fill(first, {**known, **self.values, **self.exceeded(known)})

    def space(self, whole: SearchSpace) -> SearchSpace:
        """Its part of the search space ``whole``."""
        return whole.within(self.values, dict(self.most))

    def size(self, whole: SearchSpace) -> int:
        """How many networks it has at most: those of its elastic choices that apply to the largest."""
        own = self.largest(whole)
        return math.prod(len(each.values) for each in elastic_of(self.space(whole), own) if each.key in own)

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        parts = {"held": self.held, "most": self.most, "names": self.names}
        return {name: [list(pair) for pair in pairs] for name, pairs in parts.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Family:
        return cls(*(tuple((key, value) for key, value in data[name]) for name in ("held", "most", "names")))


def elastic_of(space: SearchSpace, values: Mapping[str, Value]) -> Iterator[Parameter]:
    """The choices of a backbone in which networks of a family differ."""
    return (parameter for parameter in space.of(str(values[BACKBONE])) if parameter.knob.elastic)


def _is_unusual(key: str, value: Value) -> bool:
    return key not in (BACKBONE, *NAMED) and value not in USUAL.get(key, ("none", 0.0))


def _number(value: Value | None) -> float:
    return 0.0 if value is None or isinstance(value, str) else float(value)
