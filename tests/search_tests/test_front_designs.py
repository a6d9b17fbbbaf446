"""Designs of a wanted time: within the tolerance, of their family or of the space, and none where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from evaluators.costs import architecture_costs
from latency_tables.tables.estimate import MissingOperatorError
from latency_tables.tables.table import load_table
from search.experiments.front_designs import TOLERANCE, drawn, narrowed, narrower, plain
from space import TASKS, SearchSpace
from space.architecture import Architecture
from space.search_space import BACKBONE

SPACE = SearchSpace(TASKS["sr"], TASKS["sr"].shape(4))
TABLE = load_table("pixel4-a76")
PARENT = plain(SPACE, 20, 6)
GIVEN = {"input_skip": "bicubic"}


def ms(arch: Architecture) -> float:
    return architecture_costs(arch, (64, 48), [TABLE]).latency[TABLE.name].ms


def macs(arch: Architecture) -> float:
    """Quicker than milliseconds, and as good for a walk through the space."""
    return float(architecture_costs(arch, (64, 48)).macs)


def test_the_plain_family_is_off_the_grid_too() -> None:
    assert SPACE.encode(plain(SPACE, 24, 8)) is not None
    odd = plain(SPACE, 7, 3)
    assert (odd.settings.width, len(odd.settings.blocks)) == (7, 3)
    assert {spec.width for spec in odd.settings.blocks} == {7}
    assert narrowed(PARENT, 7, 3) == odd
    assert SPACE.encode(odd) is None


@pytest.mark.parametrize("width", [3, 9, 15, 20])
def test_a_narrower_design_has_all_blocks_where_a_number_of_channels_meets_the_time(width: int) -> None:
    found = narrower(PARENT, ms(narrowed(PARENT, width, 6)) * 1.001, ms)
    assert found == narrowed(PARENT, width, 6)


def test_blocks_go_where_no_number_of_channels_meets_the_time() -> None:
    def cost(arch: Architecture) -> float:
        return float(len(arch.settings.blocks))

    assert len(narrower(PARENT, 4.0, cost).settings.blocks) == 4
    assert narrower(PARENT, 4.5, cost) is None


def test_drawn_designs_take_the_time_and_keep_what_is_given() -> None:
    wanted = macs(PARENT)
    found = drawn(SPACE, GIVEN, wanted, macs, 2, np.random.default_rng(0))
    assert len({arch.key for arch in found}) == len(found) == 2
    for arch in found:
        assert abs(macs(arch) / wanted - 1) <= TOLERANCE
        assert arch.ends.input_skip == "bicubic"
    assert drawn(SPACE, GIVEN, wanted, macs, 2, np.random.default_rng(0)) == found


def test_no_design_is_drawn_where_the_space_has_none_so_fast() -> None:
    assert drawn(SPACE, GIVEN, macs(PARENT) / 10_000, macs, 1, np.random.default_rng(0)) == ()


def test_designs_that_a_table_cannot_price_are_walked_around() -> None:
    """As one that was measured before the space had some kind of block: the walk ended with "no figure for …"."""

    def ms_of_some(arch: Architecture) -> float:
        if any(spec.kind != "residual" for spec in arch.settings.blocks):
            raise MissingOperatorError("table early has no figure for it")
        return macs(arch)

    given = {**GIVEN, BACKBONE: "plain"}
    found = drawn(SPACE, given, macs(PARENT), ms_of_some, 1, np.random.default_rng(0))
    assert len(found) == 1
    assert {spec.kind for spec in found[0].settings.blocks} == {"residual"}

    def nothing(arch: Architecture) -> float:
        raise MissingOperatorError("table early has no figure for it")

    assert drawn(SPACE, given, macs(PARENT), nothing, 1, np.random.default_rng(0)) == ()
