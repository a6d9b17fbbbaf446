"""Which operators to measure for a task's networks at one input size.

The space is sampled; every distinct operator of the samples is a shape that a search will ask for. Convolutions have
steps along their channels (a matrix kernel computes 8 or 16 output channels at once: the 17th costs as much as the 16
before), so they are measured at every shape that the space uses; a cost that only follows the bytes moved is measured
at some channels and interpolated. A check set of shapes off the grid, measured too but kept out of the table, shows
what interpolation costs.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from latency_tables.lowering.fusion import architecture_operators
from latency_tables.lowering.operators import COMPUTE_KINDS, EngineOperator
from space.architecture import Architecture
from space.search_space import SearchSpace
from space.tasks import Task
from space.zoo import ZOO

SAMPLES = 1000  # networks
LINE_STEP = 1.5  # channels of neighbouring lines of an operation that only moves bytes, at most
CHECKS = 40
MAX_SHAPES = 200  # of one operation; the most used ones are taken


@dataclass(frozen=True)
class Plan:
    """``grid`` goes into the table; ``check`` are shapes in between, measured to show the interpolation error."""

    grid: tuple[EngineOperator, ...]
    check: tuple[EngineOperator, ...]


def plan(task: Task, scale: int, input_size: tuple[int, int], seed: int = 0) -> Plan:
    """The operators of ``task``'s search space and published networks at an input of (width, height) pixels."""
    generator = np.random.default_rng(seed)
    used: Counter[EngineOperator] = Counter()
    for arch in _architectures(task, scale, generator):
        used.update(map(bare, architecture_operators(arch, input_size)))
    return plan_of(used, generator)


def plan_of(used: Counter[EngineOperator], generator: np.random.Generator) -> Plan:
    """The grid for operators ``used`` so many times."""
    grid: list[EngineOperator] = []
    left: list[EngineOperator] = []
    for shapes in _by_operation(used):
        chosen = _chosen(shapes, used)
        grid += chosen
        left += [op for op in shapes if op not in set(chosen)]
    known = {*grid, *left}
    between = [op for op in dict.fromkeys(_between(grid)) if op not in known]
    check = [
        pool[index] for pool in (left, between) for index in sorted(generator.permutation(len(pool))[: CHECKS // 2])
    ]
    return Plan(tuple(grid), tuple(check))


def bare(op: EngineOperator) -> EngineOperator:
    """``op`` without its place in a network."""
    return replace(op, part="", inputs=(), output=-1)


def _architectures(task: Task, scale: int, generator: np.random.Generator) -> Iterator[Architecture]:
    shape = task.shape(scale)
    for paper in ZOO.values():
        if paper.architecture.backbone in task.backbones:
            arch = paper.at_scale(scale)
            if arch.shape == shape:
                yield arch
    space = SearchSpace(task, shape)
    for _ in range(SAMPLES):
        yield space.decode(space.random(generator))


def _by_operation(used: Iterable[EngineOperator]) -> list[list[EngineOperator]]:
    operations: dict[tuple[object, ...], list[EngineOperator]] = {}
    for op in sorted(used, key=lambda op: (op.pixels, op.in_channels, op.out_channels)):
        operations.setdefault(op.operation, []).append(op)
    return [operations[key] for key in sorted(operations, key=str)]


def _chosen(shapes: Sequence[EngineOperator], used: Counter[EngineOperator]) -> list[EngineOperator]:
    """What to measure of one operation."""
    if shapes[0].kind in COMPUTE_KINDS:
        kept = set(sorted(shapes, key=lambda op: -used[op])[:MAX_SHAPES]) | {shapes[0], shapes[-1]}
        return [op for op in shapes if op in kept]
    chosen: list[EngineOperator] = []
    by_pixels: dict[int, list[EngineOperator]] = {}
    for op in shapes:
        by_pixels.setdefault(op.pixels, []).append(op)
    for row in by_pixels.values():
        chosen += _lines(row)
    return chosen


def _lines(row: Sequence[EngineOperator]) -> list[EngineOperator]:
    """Of a row of rising channels the first, the last, and between them the farthest within ``LINE_STEP``."""
    lines = [row[0]]
    for op, after in itertools.pairwise(row[1:]):
        if after.out_channels > lines[-1].out_channels * LINE_STEP:
            lines.append(op)
    return [*lines, row[-1]] if len(row) > 1 else lines


def _between(grid: Iterable[EngineOperator]) -> Iterator[EngineOperator]:
    """Convolutions at pixels between those that the space uses."""
    for shapes in _by_operation(op for op in grid if op.kind in COMPUTE_KINDS and op.stride == (1, 1)):
        sizes = sorted({(op.height, op.width) for op in shapes})
        for op in shapes:
            for height, width in sizes:
                if (height, width) > (op.height, op.width):
                    yield resized(op, (op.height + height) // 2, (op.width + width) // 2)


def resized(op: EngineOperator, height: int, width: int) -> EngineOperator:
    """``op``, which keeps its input's size, at another size."""
    return replace(op, height=height, width=width, read_elements=op.read_elements // op.pixels * height * width)
