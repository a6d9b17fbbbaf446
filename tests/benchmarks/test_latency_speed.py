"""How long it takes to predict 1,000 unseen architectures on five tables, once their operators are known. One core.

``pytest tests/benchmarks -s`` prints the seconds; tracing and fusing, which the tables share, are timed beside.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import pytest

from latency_tables.lowering.fusion import engine_operators
from latency_tables.tables.estimate import estimate, workload
from latency_tables.tables.table import load_table
from space import TASKS
from space.operators import screen
from tests.random_networks import random_architecture

TABLES = ("pixel4-a76", "pixel4-a55", "a03s-a53", "mi8se-a75", "s10-m4")
INPUT = (320, 180)
ARCHITECTURES, ROUNDS = 1_000, 3


def test_predicting_many_architectures(benchmark, capsys: pytest.CaptureFixture[str]) -> None:
    generator, task = np.random.default_rng(0), TASKS["sr"]
    tables = [load_table(name) for name in TABLES]
    listed_s, predicted_s = [], []
    for _ in range(ROUNDS):
        drawn = [random_architecture(task.shape(4), task.backbones, generator) for _ in range(ARCHITECTURES)]
        screenings = [screen(arch, *INPUT) for arch in drawn]
        begun = time.perf_counter()
        networks = [engine_operators(found.operators, (found.output,)) for found in screenings]
        listed_s.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        works = [workload(operators) for operators in networks]
        figures = [estimate(table, work) for work in works for table in tables]
        predicted_s.append(time.perf_counter() - begun)
        assert all(figure.ms > 0 for figure in figures)
    seconds = {
        "predict 1,000 on 5 tables": statistics.median(predicted_s),
        "list and fuse": statistics.median(listed_s),
    }
    benchmark.extra_info |= seconds
    with capsys.disabled():
        print(
            f"\n1,000 architectures: {seconds['predict 1,000 on 5 tables']:.2f} s to predict on five tables, "
            f"{seconds['list and fuse']:.2f} s to list and fuse their operators before"
        )
    benchmark.pedantic(lambda: [estimate(table, works[0]) for table in tables], rounds=20)
