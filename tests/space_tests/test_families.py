"""Families: which networks belong to one, and the part of the search space that they are."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest

from space import TASKS, SearchSpace
from space.search_space import BACKBONE, Values, first, middle
from space.weight_bank.families import Family, elastic_of

SPACE = SearchSpace(TASKS["sr"], TASKS["sr"].shape(4))


def point(**values: int | float | str) -> Values:
    return SPACE.fill(first, {BACKBONE: "symmetric", "input_skip": "bicubic", **values})


LARGEST = point(width=24, blocks_per_stage=3, pool="wide")
FAMILY = Family.below(SPACE, LARGEST)


@pytest.mark.parametrize(
    ("values", "belongs"),
    [
        (LARGEST, True),
        (point(width=8, blocks_per_stage=1, pool="none"), True),  # smaller in every number, another name
        (point(width=28, blocks_per_stage=1), False),
        (point(width=8, blocks_per_stage=4), False),
        (point(width=8, input_skip="none"), False),
        (point(width=8, activation_kept="all"), False),
        (point(width=8, block="gsat"), False),
        (SPACE.fill(first, {BACKBONE: "plain", "input_skip": "bicubic"}), False),
    ],
)
def test_what_belongs_to_it(values: Values, belongs: bool) -> None:
    assert FAMILY.holds(values) == belongs


def test_its_part_of_the_space_has_its_networks_alone() -> None:
    part, generator = FAMILY.space(SPACE), np.random.default_rng(0)
    found = [part.random(generator, {BACKBONE: "plain", "width": 64}) for _ in range(40)]
    assert all(map(FAMILY.holds, (values for values in found if values["width"] != 64)))
    drawn = [part.random(generator) for _ in range(60)]
    assert all(map(FAMILY.holds, drawn))
    assert {values["width"] for values in drawn} == {8, 12, 16, 20, 24}
    assert {values["pool"] for values in drawn} == {"none", "normal", "wide"}
    for parameter, near in part.neighbours(LARGEST):
        assert FAMILY.holds(near), parameter.name
    # Samplers know the same names, whatever part they propose in.
    assert {each.name for each in part.of("symmetric")} == {each.name for each in SPACE.of("symmetric")}


def test_what_lies_outside_has_a_nearest_point_inside() -> None:
    outside = point(width=64, blocks_per_stage=4, block="gsat", pool="normal")
    near = FAMILY.within_reach(SPACE, outside)
    assert FAMILY.holds(near)
    assert (near["width"], near["blocks_per_stage"], near["pool"]) == (24, 3, "normal")
    inside = point(width=12, pool="none")
    assert FAMILY.within_reach(SPACE, inside) == inside


def test_the_nearest_point_to_one_of_another_backbone_is_on_the_grid() -> None:
    deblur = SearchSpace(TASKS["deblur"], TASKS["deblur"].shape(1))
    plain = Family.below(deblur, deblur.fill(middle, {BACKBONE: "plain"}))
    near = plain.within_reach(deblur, deblur.fill(first, {BACKBONE: "progressive", "blocks": 2, "width": 12}))
    assert plain.holds(near)
    assert (near["blocks"], near["width"]) == (2, 12)
    deblur.decode(near)


def test_the_largest_is_found_again() -> None:
    assert FAMILY.largest(SPACE) == LARGEST


def test_its_size_counts_its_elastic_choices() -> None:
    assert FAMILY.size(SPACE) == 5 * 3 * 3  # widths, blocks a stage, information pools
    generator, part = np.random.default_rng(0), FAMILY.space(SPACE)
    assert len({SPACE.decode(part.random(generator)) for _ in range(600)}) == FAMILY.size(SPACE)


def test_it_is_stored_as_json() -> None:
    assert Family.from_dict(json.loads(json.dumps(FAMILY.to_dict()))) == FAMILY


def test_its_name_says_what_it_is() -> None:
    plain = point(width=24, blocks_per_stage=3, pool="wide", activation_kept="all", residual_scale=1.0)
    name = "symmetric residual dense dense-two-step"
    assert Family.below(SPACE, plain).name == f"{name} (up to width 24, blocks_per_stage 3)"
    told = "activation_kept rare residual_scale 0.1"
    assert FAMILY.name == f"{name} {told} (up to width 24, blocks_per_stage 3)"
    recursive = Family.below(SPACE, point(width=8, recursion=2, malle="head"))
    assert {"malle head", "recursion 2"} <= set(map(" ".join, pairwise(recursive.name.split())))
    assert "attention esa" in Family.below(SPACE, point(attention="esa")).name


def test_families_of_other_kinds_have_other_names() -> None:
    """Whichever part is turned, so that a page or a log never tells of two by one name."""
    for backbone in SPACE.backbone.values:
        start = SPACE.fill(first, {BACKBONE: backbone})
        names = {Family.below(SPACE, start).name}
        kinds = [each for each in SPACE.of(backbone) if each.key in start and not each.knob.elastic]
        turned = [(kind, value) for kind in kinds for value in kind.values if value != start[kind.key]]
        for kind, value in turned:
            names.add(Family.below(SPACE, SPACE.turned(start, kind.key, value, missing=middle)).name)
        assert len(names) == 1 + len(turned), backbone


@pytest.mark.parametrize("task", TASKS)
def test_every_backbone_has_a_width_and_a_depth_that_are_elastic(task: str) -> None:
    space = SearchSpace(TASKS[task], TASKS[task].shape(TASKS[task].default_scale))
    for name in TASKS[task].backbones:
        elastic = {parameter.key for parameter in elastic_of(space, {BACKBONE: name})}
        assert "width" in elastic, name
        assert any(key.startswith("blocks") for key in elastic), name
