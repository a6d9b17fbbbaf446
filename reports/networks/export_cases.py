"""The networks whose export is tried: published ones, every value of every knob, and random ones of every task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np

from evaluators.costs import architecture_costs
from space import TASKS, ZOO, SearchSpace
from space.architecture import Architecture
from space.knobs import Value
from space.search_space import BACKBONE, Parameter, Values

PUBLISHED, KNOB, RANDOM = "published", "knob", "random"
SEED = 13
COSTED_AT = (64, 64)  # (width, height) of the input


@dataclass(frozen=True)
class Case:
    """One network: ``name`` is unique; ``knobs`` is its point in the search space, empty for a network without one."""

    group: str
    name: str
    task: str
    arch: Architecture
    knobs: Mapping[str, Value]


def cases(random_per_task: int) -> Iterator[Case]:
    """Every case, those that say most first: two for knobs, a published and a random network in turn."""
    knobs = tuple(_knob_cases())
    lightest_first = sorted(_published_cases(), key=lambda case: architecture_costs(case.arch, COSTED_AT).macs)
    groups = (knobs[::2], knobs[1::2], lightest_first, _random_cases(random_per_task))
    seen: set[str] = set()
    for row in zip_longest(*groups):
        for case in row:
            if case is not None and case.name not in seen:
                seen.add(case.name)
                yield case


def _published_cases() -> Iterator[Case]:
    for entry in ZOO.values():
        knobs = {BACKBONE: entry.architecture.backbone, **entry.knobs} if entry.module is None else {}
        yield Case(PUBLISHED, entry.name, entry.task, entry.architecture, knobs)


def _knob_cases() -> Iterator[Case]:
    """Networks in which, together, every value of every knob stands: names in every backbone, numbers in one.

    Each has as many values as can be that no earlier one has; for the rest, the first value, mostly the smallest.
    """
    seen: set[tuple[str, str, Value]] = set()
    for task in TASKS.values():
        for channels in task.channels:
            space = SearchSpace(task, task.shape(task.default_scale, channels))
            for name in task.backbones:
                for index, values in enumerate(_covering(space, name, seen)):
                    case = f"{task.name} {channels} {name} {index}"
                    yield Case(KNOB, case, task.name, space.decode(values), values)


def _covering(space: SearchSpace, name: str, seen: set[tuple[str, str, Value]]) -> Iterator[Values]:
    """Points of the backbone ``name`` until ``seen``, which takes them up, has every value."""

    def key_of(parameter: Parameter, value: Value) -> tuple[str, str, Value]:
        return (name if isinstance(value, str) else "", parameter.key, value)

    def choose(parameter: Parameter) -> Value:
        return next((value for value in parameter.values if key_of(parameter, value) not in seen), parameter.values[0])

    for parameter in space.of(name):
        for value in parameter.values:
            if key_of(parameter, value) in seen:
                continue
            values = space.fill(choose, _given(space, name, parameter, value))
            seen.update(key_of(each, values[each.key]) for each in space.of(name) if each.key in values)
            yield values


def _given(space: SearchSpace, backbone: str, parameter: Parameter, value: Value) -> Values:
    """The choices with which ``parameter`` applies, and ``value`` for it."""
    given: Values = {BACKBONE: backbone, parameter.key: value}
    by_key = {each.key: each for each in space.of(backbone)}
    waiting = [parameter]
    while waiting:
        for key, allowed in waiting.pop().knob.when.items():
            if key not in given:
                given[key] = next(each for each in reversed(by_key[key].values) if each in allowed)
                waiting.append(by_key[key])
    return given


def _random_cases(per_task: int) -> Iterator[Case]:
    """One of each task in turn, over its scales and channels."""
    generators = {name: np.random.default_rng((SEED, index)) for index, name in enumerate(TASKS)}
    for index in range(per_task):
        for name, task in TASKS.items():
            scales, words = tuple(task.input_sizes), tuple(task.channels)
            shape = task.shape(scales[index % len(scales)], words[index % len(words)])
            space = SearchSpace(task, shape)
            values = space.random(generators[name])
            yield Case(RANDOM, f"{name}-{index}", name, space.decode(values), values)
