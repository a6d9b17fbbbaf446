"""The functions for programs: their examples run, and all ways to give a network agree."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

import evaluators
import latency_tables
from space import PAPERS, UserError, build

ARCH = PAPERS["s-lwsr16"].architecture
SIZE, TABLES = (64, 36), ("pixel4-a76", "a03s-a53")


@pytest.mark.parametrize("module", ["evaluators.costs", "latency_tables.networks"])
def test_the_examples_in_docstrings_run(module: str) -> None:
    found = doctest.testmod(import_module(module))
    assert found.attempted > 0
    assert found.failed == 0


@pytest.mark.parametrize("network", [ARCH, build(ARCH)], ids=["architecture", "module"])
def test_a_network_costs_the_same_however_it_is_given(network) -> None:
    named = evaluators.cost("s-lwsr16", SIZE, TABLES)
    assert evaluators.cost(network, SIZE, TABLES) == named
    for table in TABLES:
        assert latency_tables.predict(network, table, SIZE).latency == named.latency[table]


def test_mistakes_are_said_in_one_line() -> None:
    with pytest.raises(UserError, match="unknown network 's-lwsr'"):
        evaluators.cost("s-lwsr")
    with pytest.raises(UserError, match="nope"):
        latency_tables.predict("s-lwsr16", "nope")
