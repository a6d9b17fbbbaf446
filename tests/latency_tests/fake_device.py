"""A device whose latencies are a formula, and an engine whose models are lists of operators in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.differential import baseline_key
from latency_tables.measuring.engines.model_format import ModelFormat
from latency_tables.measuring.measure import Harness, operator_of
from latency_tables.measuring.plan import Plan
from latency_tables.measuring.rounds import Protocol
from latency_tables.measuring.targets.session import ConnectionLostError, Device, Job, ModelFailedError, Timing

IDENTITY = {
    "hostname": "board",
    "cpu": "Cortex-A53",
    "cores": [0],
    "threads": 1,
    "engine": "fake",
    "engine_version": "1",
}


def cost_ms(op: EngineOperator) -> float:
    """Linear in work and in elements, so that interpolation can be exact."""
    return op.macs / 1e7 + (op.read_elements + op.written_elements) / 1e6 + 0.01


def write(operators: Sequence[EngineOperator]) -> bytes:
    return json.dumps([baseline_key(op) for op in operators]).encode()


FAKE = ModelFormat("fake", "Fake", (), write)


@dataclass
class FakeSession:
    """``dies_after`` timings the line breaks; ``crashes_on`` says which models the engine dies of.

    ``pace`` gives by how much everything is slower at the n-th timing; a model's first reads and last writes
    cost ``boundary_ns`` per element beside its operators.
    """

    identity: dict[str, Any] = field(default_factory=lambda: dict(IDENTITY))
    dies_after: int | None = None
    crashes_on: Callable[[EngineOperator], bool] = lambda op: False
    pace: Callable[[int], float] = lambda count: 1.0
    noise: float = 0.0
    boundary_ns: float = 0.0
    timed: list[str] = field(default_factory=list)

    def describe(self) -> Device:
        return Device(self.identity, {"governor": "performance"})

    def time(self, job: Job) -> Timing:
        if self.dies_after is not None and len(self.timed) >= self.dies_after:
            raise ConnectionLostError("board: unplugged")
        self.timed.append(job.name)
        operators = [operator_of(key) for key in json.loads(job.model)]
        if any(map(self.crashes_on, operators)):
            raise ModelFailedError("the engine died on it (exit status -11; it said nothing)")
        boundary = (operators[0].read_elements + operators[-1].written_elements) * self.boundary_ns * 1e-6
        generator = np.random.default_rng(len(self.timed))
        ms = (sum(map(cost_ms, operators)) + boundary) * self.pace(len(self.timed))
        runs = tuple(ms * (1 + self.noise * abs(generator.standard_normal())) for _ in range(job.repeats))
        return Timing(job.name, runs, runs, 1400.0, 50.0)

    def close(self) -> None:
        pass


def harness(session: FakeSession, differential: bool = False, **protocol: Any) -> Harness:
    return Harness(
        session, FAKE, Protocol(threads=1, cores=(0,), **{"rounds": 3, "most_rounds": 3, **protocol}), differential
    )


def conv(in_channels: int, out_channels: int) -> EngineOperator:
    return EngineOperator("conv", 18, 32, in_channels, out_channels, 576 * in_channels, kernel=(3, 3))


def relu(channels: int) -> EngineOperator:
    return EngineOperator("activation", 18, 32, channels, channels, 576 * channels, "relu")


PLAN = Plan((conv(8, 8), conv(8, 16), conv(16, 8), conv(16, 16), relu(8), relu(16)), (relu(12),))
ABOUT = {"task": "sr", "scale": 4, "input": "32x18"}
