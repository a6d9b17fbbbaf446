"""Channels that exist together or not at all: sets of labels, joined place by place."""

from __future__ import annotations

import numpy as np
import pytest

from space.channels.units import Units


def joined_one_by_one(count: int, pairs: list[tuple[int, int]]) -> list[int]:
    """Of each label the first one that it is joined with, by going through ``pairs`` until nothing changes."""
    unit = list(range(count))
    changed = True
    while changed:
        changed = False
        for one, other in pairs:
            first = min(unit[one], unit[other])
            changed |= unit[one] != first or unit[other] != first
            unit[one] = unit[other] = first
    return unit


@pytest.mark.parametrize("seed", range(20))
def test_random_joins_are_those_of_one_pair_after_the_other(seed: int) -> None:
    generator, units, pairs = np.random.default_rng(seed), Units(), []
    labels = np.concatenate([units.new(count) for count in (40, 1, 300, 60)])
    for _ in range(12):  # labels are in several places of one join, and on both of its sides
        first, second = generator.choice(labels, (2, 25))
        units.join(first, second)
        pairs += zip(first.tolist(), second.tolist(), strict=True)
    known = joined_one_by_one(int(labels.max()) + 1, pairs)
    assert units.roots(labels).tolist() == [known[label] for label in labels]


def test_labels_beyond_the_first_thousand_are_units_of_their_own() -> None:
    units = Units()
    first, second = units.new(1000), units.new(5000)
    units.join(first[:2], second[-2:])
    assert second[0] > first[-1] + 1  # no segment goes on from one axis into the next
    assert units.roots(second).tolist() == [*second[:-2], *first[:2]]
    assert units.labels.tolist() == list(range(int(second[-1]) + 2))


def test_along_an_axis_all_are_joined() -> None:
    units = Units()
    labels = units.new(12).reshape(3, 4)
    units.join_along(labels, 0)
    assert units.roots(labels).tolist() == [labels[0].tolist()] * 3


def test_what_is_fixed_is_so_under_the_name_of_its_unit() -> None:
    units = Units()
    labels = units.new(6)
    units.fix(labels[4:5])
    units.fix(None)
    units.join(labels[:1], labels[4:5])
    assert units.fixed() == {0}


def test_unequal_sides_are_refused() -> None:
    units = Units()
    labels = units.new(6)
    with pytest.raises(ValueError, match="got 6 and 1"):
        units.join(labels, labels[:1])
