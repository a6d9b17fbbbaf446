"""The table that this project measured prices whatever the space can build, on every task."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from latency_tables.lowering.fusion import architecture_operators
from latency_tables.tables.estimate import estimate, price
from latency_tables.tables.table import load_table
from space import TASKS
from tests.random_networks import random_architecture

TABLE = Path(__file__).parents[2] / "reports" / "published" / "harness-litert" / "zen4-blocks-litert.csv"


@pytest.mark.parametrize("networks", [25, pytest.param(200, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", TASKS)
def test_no_random_network_is_refused(name: str, networks: int) -> None:
    """44 of 60 networks of sr were, for want of the 7x7 convolution of spatial attention."""
    table, task, generator = load_table(str(TABLE)), TASKS[name], np.random.default_rng(7)
    shape = task.shape(task.default_scale)
    for _ in range(networks):
        arch = random_architecture(shape, task.backbones, generator)
        assert estimate(table, architecture_operators(arch, (320, 180))).ms > 0


def test_its_own_task_is_measured_or_between() -> None:
    """Of the milliseconds of networks of sr at the measured size, little rests on other operations."""
    table, task, generator = load_table(str(TABLE)), TASKS["sr"], np.random.default_rng(8)
    by_origin: Counter[str] = Counter()
    for _ in range(30):
        arch = random_architecture(task.shape(4), task.backbones, generator)
        operators = architecture_operators(arch, (320, 180))
        for op in operators:
            found = price(table, op)
            outside = found.origin in ("extrapolated", "traffic-estimate") and found.distance > 1.5
            by_origin["outside" if outside else "inside"] += found.ms
    assert by_origin["outside"] < 0.05 * by_origin.total()
