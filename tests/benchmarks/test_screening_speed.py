"""How fast costs are screened, against building each network and running torch's counter, in the same run.

``pytest tests/benchmarks`` prints the table; ``extra_info`` holds the ratio of medians. One core.
"""

from __future__ import annotations

import statistics
import time

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from evaluators.costs import architecture_costs
from space import TASKS, build
from space.architecture import Architecture
from space.backbones import BACKBONES
from tests.random_networks import random_architecture

INPUT = (320, 180)
SCREENED, COUNTED, ROUNDS = 2_000, 20, 5


@pytest.fixture
def one_core():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def unseen(number: int, name: str, generator: np.random.Generator) -> list[Architecture]:
    return [random_architecture(TASKS["sr"].shape(4), (name,), generator) for _ in range(number)]


def counted_by_torch(arch: Architecture) -> None:
    with torch.device("meta"):
        network = build(arch)
    with FlopCounterMode(display=False), torch.no_grad():
        network(torch.empty(1, 3, INPUT[1], INPUT[0], device="meta"))


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_screening_against_building_and_counting(benchmark, one_core, name: str) -> None:
    generator = np.random.default_rng(0)
    for arch in unseen(3_000, name, generator):
        architecture_costs(arch, INPUT)  # warm-up: every part gets known
    screened_s, counted_s = [], []
    for _ in range(ROUNDS):
        fresh = unseen(SCREENED, name, generator)
        begun = time.perf_counter()
        for arch in fresh:
            architecture_costs(arch, INPUT)
        screened_s.append((time.perf_counter() - begun) / SCREENED)
        begun = time.perf_counter()
        for arch in fresh[:COUNTED]:
            counted_by_torch(arch)
        counted_s.append((time.perf_counter() - begun) / COUNTED)
    ratio = statistics.median(counted / screened for counted, screened in zip(counted_s, screened_s, strict=True))
    benchmark.extra_info |= {
        "architectures_per_s": round(1 / statistics.median(screened_s)),
        "times_faster_than_torch": round(ratio),
    }
    print(
        f"\nscreening, {name}: {1 / statistics.median(screened_s):,.0f} unseen architectures a second, "
        f"{ratio:.0f} times as fast as building and counting with torch"
    )
    batch = iter(unseen(400, name, generator))
    benchmark.pedantic(lambda: architecture_costs(next(batch), INPUT), rounds=400, iterations=1)
