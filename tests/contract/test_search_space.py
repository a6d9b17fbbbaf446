"""What every search space gives its users: points that decode, encode back, have neighbours, and can be counted."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from evaluators.costs import Costs, architecture_costs
from search.candidates.smallest import smallest
from space import TASKS, ZOO, SearchSpace, UserError
from space.search_space import BACKBONE, Parameter, first, middle, one_step

SPACES = {
    f"{task.name}-x{scale}-{word}": SearchSpace(task, task.shape(scale, word))
    for task in TASKS.values()
    for scale in task.input_sizes
    for word in task.channels
}
SPACES["denoise-specialists"] = SearchSpace(TASKS["denoise"], replace(TASKS["denoise"].shape(1), specialists=4))
DRAWS = 40
INPUT = (64, 36)


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest) -> SearchSpace:
    return SPACES[request.param]


def test_equal_names_mean_equal_values(space: SearchSpace) -> None:
    by_name: dict[str, tuple[object, ...]] = {}
    assert space.parameters[0].key == BACKBONE
    for parameter in space.parameters:
        assert parameter.values
        assert by_name.setdefault(parameter.name, parameter.values) == parameter.values
    assert {name.rpartition(".")[2] for name in by_name} == {parameter.key for parameter in space.parameters}


def test_fill_asks_in_order_for_what_applies_and_gives_a_point(space: SearchSpace) -> None:
    generator = np.random.default_rng(0)
    for _ in range(DRAWS):
        asked: list[Parameter] = []

        def choose(parameter: Parameter, asked: list[Parameter] = asked) -> int | float | str:
            asked.append(parameter)
            return parameter.values[int(generator.integers(len(parameter.values)))]

        values = space.fill(choose)
        assert [parameter.key for parameter in asked] == list(values)
        assert all(parameter.applies(values) for parameter in asked)
        assert not any(p.applies(values) and p.key not in values for p in space.of(str(values[BACKBONE])))
        assert space.decode(values).backbone == values[BACKBONE]
        assert space.parameters_of(values) == {p.name: values[p.key] for p in asked}


def test_fill_keeps_what_is_given_where_it_applies(space: SearchSpace) -> None:
    for name in space.task.backbones:
        given = space.random(np.random.default_rng(1), {BACKBONE: name})
        assert space.fill(first, given) == given
        assert space.fill(middle, {**given, "no such knob": 1}) == given


def test_backbones_that_offer_what_is_given(space: SearchSpace) -> None:
    assert space.offering({}) == space.task.backbones
    assert space.offering({"no such knob": 1}) == ()
    for name in space.task.backbones:
        given = space.random(np.random.default_rng(1), {BACKBONE: name})
        assert space.offering(given) == (name,)
        for key, value in given.items():
            if key != BACKBONE:
                assert name in space.offering({key: value})
                assert name not in space.offering({key: "no such value"})


def test_random_points_repeat_by_seed(space: SearchSpace) -> None:
    drawn = [[space.random(generator) for _ in range(5)] for generator in map(np.random.default_rng, (7, 7, 8))]
    assert drawn[0] == drawn[1] != drawn[2]


def test_encode_is_the_inverse_of_decode(space: SearchSpace) -> None:
    generator = np.random.default_rng(2)
    for _ in range(DRAWS):
        arch = space.decode(space.random(generator))
        values = space.encode(arch)
        assert values is not None
        assert space.decode(values) == arch


def test_what_lies_off_the_grid_or_outside_the_space_is_not_encoded(space: SearchSpace) -> None:
    for paper in ZOO.values():
        arch = paper.architecture
        values = space.encode(arch)
        assert values is None or space.decode(values) == arch
        if arch.shape != space.shape or arch.backbone not in space.task.backbones:
            assert values is None


def test_neighbours_are_points_one_knob_away_and_symmetric(space: SearchSpace) -> None:
    generator = np.random.default_rng(3)
    for name in space.task.backbones:
        values = space.random(generator, {BACKBONE: name})
        found = list(space.neighbours(values))
        assert {parameter.key for parameter, _ in found} == {
            parameter.key for parameter in space.of(name) if parameter.key in values and len(parameter.values) > 1
        }
        for parameter, near in found:
            space.decode(near)
            assert near[parameter.key] != values[parameter.key]
            assert near[parameter.key] in set(one_step(parameter, values[parameter.key]))
            both = (near.keys() & values.keys()) - {parameter.key}
            assert all(near[key] == values[key] for key in both)
            if near.keys() == values.keys():  # else what came to apply was chosen anew
                assert values in [back for _, back in space.neighbours(near)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 17}, "width must be one of"),
        ({"no such knob": 1}, "'no such knob' does not apply here"),
        ({BACKBONE: "no such backbone"}, "backbone of .* must be one of"),
    ],
)
def test_a_wrong_choice_is_refused_by_name(space: SearchSpace, change: dict[str, int | str], message: str) -> None:
    values = space.random(np.random.default_rng(4))
    with pytest.raises(UserError, match=message):
        space.decode({**values, **change})
    assert set(space.parameters_of({**values, **change})) <= {parameter.name for parameter in space.parameters}


def default_space(name: str) -> SearchSpace:
    return SearchSpace(TASKS[name], TASKS[name].shape(TASKS[name].default_scale))


@cache
def random_costs(name: str) -> tuple[Costs, ...]:
    space, generator = default_space(name), np.random.default_rng(5)
    return tuple(architecture_costs(space.decode(space.random(generator)), INPUT) for _ in range(150))


@pytest.mark.parametrize("quantity", ["params", "macs", "memory"])
@pytest.mark.parametrize("name", TASKS)
def test_the_smallest_network_is_smaller_than_random_ones(name: str, quantity: str) -> None:
    space = default_space(name)
    _, least = smallest(lambda costs: costs.of(quantity), space, lambda arch: architecture_costs(arch, INPUT))
    assert least.of(quantity) <= min(costs.of(quantity) for costs in random_costs(name))
