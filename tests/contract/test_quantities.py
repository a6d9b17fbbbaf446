"""What holds of every quantity: a budget, an objective, a record, ``front.csv`` and sentences know it by one entry."""

from __future__ import annotations

import pytest

from evaluators.costs import Costs, architecture_costs
from evaluators.quantities import QUANTITIES, Quantity, Shown, milliseconds_on, quantities_of, quantity
from latency_tables.tables.table import load_table
from reports.run.front import COLUMNS
from search.request.budget import parse_budget
from search.request.values import parse_objectives
from space import PAPERS, UserError

TABLE = "pixel4-a76"
ALL = (*QUANTITIES.values(), milliseconds_on(TABLE))


@pytest.fixture(scope="module")
def costs() -> Costs:
    return architecture_costs(PAPERS["s-lwsr16"].architecture, (64, 36), [load_table(TABLE)])


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.key)
def test_a_quantity_is_one_thing_everywhere(each: Quantity, costs: Costs) -> None:
    assert quantity(each.key) == each
    assert costs.has(each.key)
    assert costs.of(each.key) == each.of(costs) > 0
    assert Costs.from_dict(costs.to_dict()).of(each.key) == costs.of(each.key)
    assert each in quantities_of(costs)
    assert parse_objectives(f"psnr,{each.key}")[0] == ("psnr", each.key)
    if each.table is None:
        assert each.column in costs.to_dict()
        assert each.column in COLUMNS


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.key)
def test_a_budget_limits_it_in_each_of_its_units(each: Quantity, costs: Costs) -> None:
    for unit, size in each.units.items():
        text = f"7{unit}-{each.key}" if each.table is None else f"7{unit}@{each.table}"
        (limit,) = parse_budget(text).limits
        assert (limit.quantity, limit.value) == (each.key, 7 * size)
        assert parse_budget(limit.text).limits == (limit,)
        assert limit.excess(costs) == each.of(costs) - 7 * size


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.key)
def test_it_is_said_in_words(each: Quantity, costs: Costs) -> None:
    assert each.text(costs) == f"{each.number(each.of(costs))} {each.unit}"
    assert each.noun in each.saving(0.25)
    assert each.saving(0.25).startswith("25% fewer" if each.is_counted else "25% less")
    assert each.saving(-0.25).startswith("25% more")
    assert each.least.endswith(each.noun)
    assert "(" in each.axis
    assert each.shown in Shown


def test_another_word_is_refused() -> None:
    with pytest.raises(UserError, match="must be one of params, macs, memory, weights, ms@TABLE, got 'wheels'"):
        quantity("wheels")
