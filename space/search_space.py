"""The search space: every network that a search for one task and shape can propose, and the choices that lead to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from space import count
from space.architecture import Architecture, IOShape
from space.build import architecture, backbone
from space.errors import UserError
from space.knobs import SPECIALISTS, Knob, Value
from space.tasks import Task

BACKBONE = "backbone"
Values = dict[str, Value]  # a point of the space: by key, the backbone and the value of every knob that applies


@dataclass(frozen=True, slots=True)
class Parameter:
    """One choice of a search space: the backbone, or a knob of one.

    ``knob`` has the values that there are at the space's shape, and the backbone among its conditions. ``name`` is
    what samplers call it. Backbones share the name of a knob that has the same values in them. A sampler wants one set
    of values per name, so a knob whose values differ from those of the first backbone that has it is called
    ``backbone.knob``.
    """

    name: str
    knob: Knob

    @property
    def key(self) -> str:
        """Its name in a point of the space, the same for every backbone."""
        return self.knob.name

    @property
    def values(self) -> tuple[Value, ...]:
        return self.knob.values

    @property
    def step(self) -> int | float | None:
        return self.knob.step

    def applies(self, values: Mapping[str, Value]) -> bool:
        """Whether it changes the network, given the choices before it."""
        return self.knob.applies(values)


Choose = Callable[[Parameter], Value]


def first(parameter: Parameter) -> Value:
    return parameter.values[0]


def middle(parameter: Parameter) -> Value:
    return parameter.values[len(parameter.values) // 2]


def one_step(parameter: Parameter, value: Value) -> Iterator[Value]:
    """The evenly spaced numbers beside ``value``; of words and uneven numbers, all others."""
    at = parameter.values.index(value)
    for index, other in enumerate(parameter.values):
        if index != at and (parameter.step is None or abs(index - at) == 1):
            yield other


@dataclass(frozen=True)
class SearchSpace:
    """The networks of ``shape`` out of the backbones that serve ``task``.

    A point is a mapping from ``"backbone"`` and the names of knobs to their values. Random sampling, neighbours, the
    smallest network, ablations, Optuna and any other sampler choose through ``fill``.
    """

    task: Task
    shape: IOShape

    @cached_property
    def backbone(self) -> Parameter:
        """The choice of the backbone, which comes first."""
        return Parameter(BACKBONE, Knob(BACKBONE, self.task.backbones, "the kind of trunk", "ours"))

    @cached_property
    def _of(self) -> dict[str, tuple[Parameter, ...]]:
        known: dict[str, tuple[Value, ...]] = {}  # by knob, the values in the first backbone that has it
        found = {}
        for name in self.task.backbones:
            knobs = backbone(name).knobs_for(self.shape)
            found[name] = tuple(
                Parameter(
                    knob.name if known.setdefault(knob.name, knob.values) == knob.values else f"{name}.{knob.name}",
                    replace(knob, when={BACKBONE: (name,), **knob.when}),
                )
                for knob in knobs
            )
        return found

    def of(self, backbone: str) -> tuple[Parameter, ...]:
        """The knobs of one backbone, each after those that its conditions name.

        Raises:
            UserError: the task has no such backbone.
        """
        if backbone not in self._of:
            raise UserError(f"backbone of {self.task.name} must be one of {', '.join(self._of)}, got {backbone!r}")
        return self._of[backbone]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Every choice that there is. Those of several backbones may share a name; their values are then the same."""
        return (self.backbone, *(parameter for own in self._of.values() for parameter in own))

    def fill(self, choose: Choose, given: Mapping[str, Value] | None = None) -> Values:
        """A point: what ``given`` says, as far as it applies, and for all else the answer of ``choose``.

        Choices are made in order, so that a knob is asked for only where those before it let it apply. Values of
        ``given`` are not checked: a published network may lie off the grid.
        """
        known = given or {}
        name = known[BACKBONE] if BACKBONE in known else choose(self.backbone)
        values: Values = {BACKBONE: name}
        for parameter in self.of(str(name)):
            if parameter.applies(values):
                key = parameter.key
                values[key] = known[key] if key in known else choose(parameter)
        return values

    def random(self, generator: np.random.Generator, given: Mapping[str, Value] | None = None) -> Values:
        """A point with every choice that ``given`` leaves open uniform over its values."""
        return self.fill(lambda parameter: parameter.values[int(generator.integers(len(parameter.values)))], given)

    def turned(self, values: Mapping[str, Value], key: str, value: Value, missing: Choose = first) -> Values:
        """``values`` with one knob at ``value``; what comes to apply is chosen by ``missing``."""
        return self.fill(missing, {**values, key: value})

    def neighbours(
        self,
        values: Mapping[str, Value],
        reach: Callable[[Parameter, Value], Iterable[Value]] = one_step,
        missing: Choose = first,
    ) -> Iterator[tuple[Parameter, Values]]:
        """The points with one knob turned to a value that ``reach`` names, each with the knob."""
        for parameter in self.of(str(values[BACKBONE])):
            if parameter.key in values:
                for value in reach(parameter, values[parameter.key]):
                    yield parameter, self.turned(values, parameter.key, value, missing)

    def decode(self, values: Mapping[str, Value]) -> Architecture:
        """The architecture at a point.

        Raises:
            UserError: a choice is missing, unknown or off its values, or does not apply.
        """
        name = str(values.get(BACKBONE))
        self.of(name)
        return architecture(self.shape, name, {key: value for key, value in values.items() if key != BACKBONE})

    def encode(self, arch: Architecture) -> Values | None:
        """The inverse of ``decode``; None where ``arch`` lies off the grid, or outside the space."""
        if arch.backbone not in self._of:
            return None
        own = backbone(arch.backbone).values_of(arch)
        if own is None:
            return None
        values = self.fill(first, {BACKBONE: arch.backbone, SPECIALISTS.name: arch.shape.specialists, **own})
        try:
            return values if self.decode(values) == arch else None
        except UserError:
            return None

    def on_grid(self, values: Mapping[str, Value]) -> tuple[Parameter, ...]:
        """The choices whose value in ``values``, which may be those of a published network, is one of their own."""
        own = self._of.get(str(values.get(BACKBONE)), ())
        return tuple(each for each in (self.backbone, *own) if values.get(each.key) in each.values)

    def parameters_of(self, values: Mapping[str, Value]) -> Values:
        """``values`` under the names that samplers know, without those that lie off the grid."""
        return {parameter.name: values[parameter.key] for parameter in self.on_grid(values)}

    def count(self) -> int:
        """The number of different architectures, exactly."""
        return sum(count.architectures(backbone(name), self.shape) for name in self.task.backbones)
