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
from space.search_space import BACKBONE, Parameter, Values, first

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
    """Every case, those that say most first: a knob's value, a published and a random network in turn."""
    words_first = sorted(_knob_cases(), key=lambda case: not case.name.rpartition("=")[2].isalpha())
    lightest_first = sorted(_published_cases(), key=lambda case: architecture_costs(case.arch, COSTED_AT).macs)
    groups = (words_first, lightest_first, _random_cases(random_per_task))
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
    """Each value of each knob in the smallest network of a backbone: names in every backbone, numbers in one."""
    numbers: set[tuple[str, Value]] = set()
    for task in TASKS.values():
        for channels in task.channels:
            space = SearchSpace(task, task.shape(task.default_scale, channels))
            for name in task.backbones:
                for parameter in space.of(name):
                    for value in parameter.values:
                        if not isinstance(value, str):
                            if (parameter.key, value) in numbers:
                                continue
                            numbers.add((parameter.key, value))
                        values = _turned(space, name, parameter, value)
                        case = f"{name}:{parameter.key}={value}"
                        yield Case(KNOB, case, task.name, space.decode(values), values)


def _turned(space: SearchSpace, backbone: str, parameter: Parameter, value: Value) -> Values:
    """The smallest network of ``backbone`` in which ``parameter`` applies, with ``value``."""
    given: dict[str, Value] = {BACKBONE: backbone, parameter.key: value}
    by_key = {each.key: each for each in space.of(backbone)}
    waiting = [parameter]
    while waiting:
        for key, allowed in waiting.pop().knob.when.items():
            if key not in given:
                given[key] = next(each for each in reversed(by_key[key].values) if each in allowed)
                waiting.append(by_key[key])
    return space.fill(first, given)


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
