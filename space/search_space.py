"""The search space: every network that a search for one task and shape can propose, as choices of parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby

import numpy as np

from space import count
from space.architecture import Architecture, IOShape
from space.assembly import backbone
from space.build import architecture
from space.errors import UserError
from space.knobs import SPECIALISTS, Condition, Knob, Value, is_met
from space.tasks import Task

BACKBONE = "backbone"
Values = dict[str, Value]  # a point of the space: by key, the backbone and the value of every knob that applies


@dataclass(frozen=True, slots=True)
class Parameter:
    """One choice of a search space: the backbone, or a knob of one.

    ``knob`` has the values available at the space's shape, and the backbone among its conditions. ``name`` is the name
    that samplers use. Backbones share the name of a knob that has the same values in each. Samplers need one set of
    values per name, so a knob whose values differ from those of the first backbone that has it is called
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
        """Whether it changes the network, given earlier choices."""
        return self.knob.applies(values)


Choose = Callable[[Parameter], Value]


def first(parameter: Parameter) -> Value:
    return parameter.values[0]


def middle(parameter: Parameter) -> Value:
    return parameter.values[len(parameter.values) // 2]


def one_step(parameter: Parameter, value: Value) -> Iterator[Value]:
    """The neighbouring values of an evenly spaced numeric knob; for names and uneven numbers, all other values."""
    at = parameter.values.index(value)
    for index, other in enumerate(parameter.values):
        if index != at and (parameter.step is None or abs(index - at) == 1):
            yield other


@dataclass(frozen=True)
class SearchSpace:
    """The networks of ``shape`` that the backbones of ``task`` can form.

    A point maps ``"backbone"`` and the names of knobs to values. Random sampling, neighbours, the smallest network,
    ablations, Optuna and any other sampler choose points through ``fill``.

    ``held`` and ``most`` make it a part of that space: the points where the values of ``held`` are as it says, and
    numbers are no larger than ``most`` says.
    """

    task: Task
    shape: IOShape
    held: Mapping[str, Value] = field(default_factory=dict)
    most: Mapping[str, int | float] = field(default_factory=dict)

    def within(self, held: Mapping[str, Value], most: Mapping[str, int | float] | None = None) -> SearchSpace:
        """The part of this space whose points have these values, wherever their knobs apply, and no larger numbers."""
        return replace(self, held={**self.held, **held}, most={**self.most, **(most or {})})

    @cached_property
    def backbone(self) -> Parameter:
        """The choice of the backbone, which is made first."""
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
                    replace(knob, values=self._allowed(knob), when={BACKBONE: (name,), **knob.when}),
                )
                for knob in knobs
            )
        return found

    @cached_property
    def _together(self) -> dict[str, tuple[tuple[Condition, tuple[Parameter, ...]], ...]]:
        """The knobs of each backbone in order, in runs of those that apply or do not apply together."""
        runs = {name: groupby(own, lambda parameter: parameter.knob.when) for name, own in self._of.items()}
        return {name: tuple((when, tuple(alike)) for when, alike in own) for name, own in runs.items()}

    def _allowed(self, knob: Knob) -> tuple[Value, ...]:
        most = self.most.get(knob.name)
        if most is None:
            return knob.values
        return tuple(value for value in knob.values if isinstance(value, str) or value <= most)

    def of(self, backbone: str) -> tuple[Parameter, ...]:
        """The knobs of one backbone, ordered so that each follows the knobs in its conditions.

        Raises:
            UserError: the task does not offer this backbone.
        """
        if backbone not in self._of:
            raise UserError(f"backbone of {self.task.name} must be one of {', '.join(self._of)}, got {backbone!r}")
        return self._of[backbone]

    def offering(self, given: Mapping[str, Value]) -> tuple[str, ...]:
        """The backbones that have every knob in ``given``, with its value among those to choose from."""
        names = (str(given[BACKBONE]),) if BACKBONE in given else tuple(self._of)
        wanted = {key: value for key, value in given.items() if key != BACKBONE}
        offered = {name: {parameter.key: parameter.values for parameter in self.of(name)} for name in names}
        return tuple(
            name for name in names if all(value in offered[name].get(key, ()) for key, value in wanted.items())
        )

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All choices. Choices of several backbones may share a name; they then have the same values."""
        return (self.backbone, *(parameter for own in self._of.values() for parameter in own))

    def fill(self, choose: Choose, given: Mapping[str, Value] | None = None) -> Values:
        """A point: the values in ``given`` that apply, and for every other parameter the result of ``choose``.

        Choices are made in order, and ``choose`` is called only for knobs that apply given earlier choices. What is
        held is so, whatever is given. Values of ``given`` are not checked: a published network may lie off the grid.
        """
        known = {**(given or {}), **self.held}
        name = known[BACKBONE] if BACKBONE in known else choose(self.backbone)
        values: Values = {BACKBONE: name}
        self.of(str(name))
        for when, parameters in self._together[str(name)]:
            if is_met(when, values):
                for parameter in parameters:
                    key = parameter.key
                    values[key] = known[key] if key in known else choose(parameter)
        return values

    def random(self, generator: np.random.Generator, given: Mapping[str, Value] | None = None) -> Values:
        """A random point: every choice not in ``given`` is uniform over its values."""
        return self.fill(lambda parameter: parameter.values[int(generator.integers(len(parameter.values)))], given)

    def turned(self, values: Mapping[str, Value], key: str, value: Value, missing: Choose = first) -> Values:
        """``values`` with one knob set to ``value``; knobs that apply as a result are chosen by ``missing``."""
        return self.fill(missing, {**values, key: value})

    def neighbours(
        self,
        values: Mapping[str, Value],
        reach: Callable[[Parameter, Value], Iterable[Value]] = one_step,
        missing: Choose = first,
    ) -> Iterator[tuple[Parameter, Values]]:
        """The points that differ in one knob, set to one of the values from ``reach``; each with the knob."""
        for parameter in self.of(str(values[BACKBONE])):
            if parameter.key in values and parameter.key not in self.held:
                for value in reach(parameter, values[parameter.key]):
                    yield parameter, self.turned(values, parameter.key, value, missing)

    def decode(self, values: Mapping[str, Value]) -> Architecture:
        """The architecture at a point.

        Raises:
            UserError: a choice is missing, unknown, off the grid, or does not apply.
        """
        name = str(values.get(BACKBONE))
        self.of(name)
        return architecture(self.shape, name, {key: value for key, value in values.items() if key != BACKBONE})

    def encode(self, arch: Architecture) -> Values | None:
        """The inverse of ``decode``; None if ``arch`` lies off the grid or outside the space."""
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
        """The part of ``values`` that lies on the grid; values of a published network may not."""
        own = self._of.get(str(values.get(BACKBONE)), ())
        return tuple(each for each in (self.backbone, *own) if values.get(each.key) in each.values)

    def parameters_of(self, values: Mapping[str, Value]) -> Values:
        """``values`` under the samplers' names, without those that lie off the grid."""
        return {parameter.name: values[parameter.key] for parameter in self.on_grid(values)}

    def count(self) -> int:
        """The exact number of distinct architectures."""
        return sum(count.architectures(backbone(name), self.shape) for name in self.task.backbones)
