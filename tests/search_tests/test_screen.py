"""What a run's screen knows of costs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluators.compression import design
from evaluators.compression.compression import Compression
from search.candidates.screening import Screen
from search.request.request import request_from_options
from space import TASKS
from space.architecture import Architecture
from space.errors import UserError
from space.search_space import BACKBONE, first
from tests.search_tests.conftest import settings

BUDGET = "60k-params,50ms@pixel4-a76"


@pytest.fixture
def screen() -> Screen:
    request = request_from_options(task="sr", budget=BUDGET, input=(64, 36))
    return Screen(TASKS["sr"], replace(settings(budget=BUDGET), **vars(request.wanted)), request.budget)


@pytest.fixture
def arch(screen: Screen) -> Architecture:
    return screen.space.decode(screen.space.fill(first, {BACKBONE: "plain"}))


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[Architecture]:
    """Architectures whose costs were computed, in order."""
    found: list[Architecture] = []
    compute = design.architecture_costs

    def noted(arch, *rest):
        found.append(arch)
        return compute(arch, *rest)

    monkeypatch.setattr(design, "architecture_costs", noted)
    return found


def test_costs_of_a_design_are_computed_once(screen: Screen, arch: Architecture, computed: list[Architecture]) -> None:
    costs = screen.costs(arch)
    assert screen.costs(arch) is costs
    assert screen.within(screen.space.within({BACKBONE: "plain"})).costs(arch) is costs
    assert computed == [arch]
    assert costs.latency["pixel4-a76"].ms > 0


def test_a_design_in_int8_has_costs_of_its_own(screen: Screen, arch: Architecture) -> None:
    in_float, in_int8 = screen.costs(arch), screen.costs(arch, Compression(dtype="int8"))
    assert screen.costs(arch) is in_float
    assert in_int8.weight_bytes < in_float.weight_bytes


def test_what_cannot_be_priced_is_an_error_each_time(
    screen: Screen, arch: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise UserError("no figure for gelu")

    monkeypatch.setattr(design, "architecture_costs", fails)
    for _ in range(2):
        with pytest.raises(UserError, match="no figure for gelu"):
            screen.costs(arch)
