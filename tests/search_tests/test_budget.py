"""The budget grammar, and what an impossible budget is answered with."""

import pytest

from evaluators.cost import Costs
from search.budget import parse_budget
from search.smallest import check_possible, smallest
from space import TASKS, UserError

COSTS = Costs(params=150_000, macs=9_000_000_000, peak_activation_bytes=120_000_000, weight_bytes=600_000)


@pytest.mark.parametrize(
    ("text", "canonical", "values"),
    [
        ("200k-params", "200k-params", [200_000]),
        ("0.2M-params", "0.2m-params", [200_000]),
        ("11g-macs,200k-params", "200k-params,11g-macs", [200_000, 11e9]),
        ("128mb-memory, 0.5mb-weights", "128mb-memory,0.5mb-weights", [128e6, 0.5e6]),
        ("1mib-weights", "1mib-weights", [2**20]),
        ("150000-params", "150000-params", [150_000]),
    ],
)
def test_budgets_are_read(text: str, canonical: str, values: list[float]) -> None:
    budget = parse_budget(text)
    assert budget.text == canonical
    assert [limit.value for limit in budget.limits] == values
    assert parse_budget(budget.text) == budget


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("200k", "got '200k'"),
        ("", "got ''"),
        ("-5k-params", "positive finite number, got -5"),
        ("nan-params", "positive finite number, got nan"),
        ("inf-macs", "positive finite number, got inf"),
        ("0-params", "positive finite number, got 0"),
        ("5k-params,6k-params", "params twice"),
        ("5q-params", "unit of params must be one of k, m, g, got 'q'"),
        ("5mb-params", "got 'mb'"),
        ("5k-wheels", "quantity must be one of params, macs, memory, weights, got 'wheels'"),
        ("1.2.3k-params", "must be a number, got '1.2.3'"),
        ("800ms@pixel4-a76", "needs a latency table"),
        ("800ms", "needs a latency table"),
        ("200k-params,", "got ''"),
    ],
)
def test_bad_budgets_are_refused_with_the_value(text: str, message: str) -> None:
    with pytest.raises(UserError, match=r"^--budget") as caught:
        parse_budget(text)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_limits_are_checked_one_by_one() -> None:
    budget = parse_budget("200k-params,8g-macs")
    assert [limit.quantity for limit in budget.broken(COSTS)] == ["macs"]
    assert not budget.allows(COSTS)
    assert parse_budget("150k-params,9g-macs,120mb-memory,0.6mb-weights").allows(COSTS)


def test_an_impossible_budget_names_the_smallest_network() -> None:
    task = TASKS["sr"]
    with pytest.raises(UserError, match=r"0.1k-params fits no network; the smallest has 2,659 params"):
        check_possible(parse_budget("0.1k-params"), task.shape(4), task.backbones, (320, 180))
    check_possible(parse_budget("2.66k-params"), task.shape(4), task.backbones, (320, 180))


def test_the_smallest_network_is_smaller_than_any_random_one() -> None:
    import numpy as np

    from evaluators.cost import architecture_costs
    from space import random_architecture

    task, generator = TASKS["sr"], np.random.default_rng(0)
    _, least = smallest(lambda costs: costs.macs, task.shape(2), task.backbones, (64, 36))
    for _ in range(500):
        arch = random_architecture(task.shape(2), task.backbones, generator)
        assert architecture_costs(arch, (64, 36)).macs >= least.macs


def test_limits_that_exclude_each_other_are_refused() -> None:
    task = TASKS["sr"]
    tight = "2.66k-params,22.2mb-memory"
    with pytest.raises(UserError, match="fits no network"):
        check_possible(parse_budget(tight), task.shape(4), task.backbones, (320, 180))
