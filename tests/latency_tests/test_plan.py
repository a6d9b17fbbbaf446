"""The plan: what a space needs, and not more than hundreds."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from latency_tables.lowering.fusion import architecture_operators
from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring import plan as planning
from latency_tables.measuring.plan import LINE_STEP, bare, plan, plan_of
from space import TASKS
from space.zoo import ZOO
from tests.random_networks import random_architecture


def relu(channels: int, width: int = 32) -> EngineOperator:
    return EngineOperator("activation", 18, width, channels, channels, 18 * width * channels, "relu")


def test_super_resolution_is_covered_by_hundreds_of_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "SAMPLES", 160)
    task = TASKS["sr"]
    made = plan(task, 4, (32, 18))
    assert 200 < len(made.grid) < 1000  # eleven kinds of blocks
    assert len(set(made.grid)) == len(made.grid)
    assert 20 <= len(made.check) <= planning.CHECKS
    assert not set(made.check) & set(made.grid)
    grid, operations = set(made.grid), {op.operation for op in made.grid}
    generator = np.random.default_rng(99)
    others = [random_architecture(task.shape(4), task.backbones, generator) for _ in range(8)]
    others += [ZOO["s-lwsr16"].at_scale(4)]
    asked = Counter(bare(op) for arch in others for op in architecture_operators(arch, (32, 18)))
    assert {op.operation for op in asked} <= operations
    compute = [op for op in asked if op.macs]
    assert sum(op in grid for op in compute) / len(compute) > 0.75  # looked up; 1000 samples miss fewer
    assert plan(task, 4, (32, 18)) == made


def test_what_moves_bytes_is_measured_at_some_channels() -> None:
    used = Counter({relu(channels): 1 for channels in range(8, 65, 4)})
    made = plan_of(used, np.random.default_rng(0))
    channels = [op.out_channels for op in made.grid]
    assert channels[0] == 8
    assert channels[-1] == 64
    assert len(channels) < len(used) / 1.5
    assert all(after <= max(LINE_STEP * before, before + 4) for before, after in itertools.pairwise(channels))
    assert set(made.check) <= set(used) - set(made.grid)


def test_each_image_size_has_lines_of_its_own() -> None:
    used = Counter({relu(channels, width): 1 for channels in (8, 32, 64) for width in (32, 64)})
    grid = plan_of(used, np.random.default_rng(0)).grid
    assert {(op.width, op.out_channels) for op in grid} >= {(32, 8), (32, 64), (64, 8), (64, 64)}


def test_the_most_used_convolutions_are_measured_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "MAX_SHAPES", 2)
    used = Counter(
        {EngineOperator("conv", 18, 32, width, width, 576 * width, kernel=(3, 3)): width for width in (8, 16, 24, 32)}
    )
    assert [op.in_channels for op in plan_of(used, np.random.default_rng(0)).grid] == [8, 24, 32]
