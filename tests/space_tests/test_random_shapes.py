"""Random operators, of which many cannot run: a shape is given where torch gives the same one, and nowhere else."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from space.operators.shapes import shapes_alone, tensors_in

ATEN = torch.ops.aten
TRIED, GIVEN_AT_LEAST = 500, 40
Drawn = tuple[Any, tuple[Any, ...]]


def numbers(rng: random.Random, count: int, low: int, high: int) -> list[int]:
    return [rng.randint(low, high) for _ in range(count)]


def of(rng: random.Random, rank: int | None = None, low: int = 0, high: int = 4) -> Tensor:
    return torch.empty(numbers(rng, rng.randint(0, 5) if rank is None else rank, low, high), device="meta")


def mostly(rng: random.Random, usual: int, low: int, high: int) -> int:
    return usual if rng.random() < 0.9 else rng.randint(low, high)


def near(rng: random.Random, tensor: Tensor) -> Tensor:
    """Of a shape that often broadcasts with that of ``tensor``."""
    sides = [rng.choice([1, 3]) if rng.random() < 0.3 else side for side in tensor.shape]
    return torch.empty(sides[rng.randint(0, len(sides)) if rng.random() < 0.3 else 0 :], device="meta")


def concatenation(rng: random.Random) -> Drawn:
    first = of(rng)
    parts = [first]
    for _ in range(rng.randint(0, 2)):
        sides = list(first.shape)
        if sides and rng.random() < 0.7:
            sides[rng.randrange(len(sides))] = rng.randint(0, 3)
        parts.append(torch.empty(sides, device="meta") if rng.random() < 0.9 else of(rng))
    return ATEN.cat.default, (parts, rng.randint(-4, 4))


def convolution(rng: random.Random) -> Drawn:
    axes, groups = rng.choice([1, 2, 2, 3]), rng.choice([1, 1, 2, 3])
    channels, out_channels = groups * rng.randint(1, 2), groups * rng.randint(1, 2)
    sides = numbers(rng, axes, 0, 7)
    image = torch.empty([rng.randint(0, 2), mostly(rng, channels, 0, 4), *sides], device="meta")
    kernel = numbers(rng, mostly(rng, axes, 0, 3), 0, 3)
    weight = torch.empty([out_channels, channels // groups, *kernel], device="meta")
    bias = None if rng.random() < 0.4 else torch.empty(mostly(rng, out_channels, 0, 4), device="meta")
    stride, padding, dilation = (
        numbers(rng, rng.choice([1, axes, axes, rng.randint(0, 3)]), mostly(rng, usual, usual - 1, usual), usual + 2)
        for usual in (1, 0, 1)
    )
    transposed = rng.random() < 0.1
    settings = (stride, padding, dilation, transposed, [0] * axes, mostly(rng, groups, 0, 3))
    return ATEN.convolution.default, (of(rng) if rng.random() < 0.05 else image, weight, bias, *settings)


def reduction(rng: random.Random) -> Drawn:
    function = rng.choice([ATEN.mean.dim, ATEN.sum.dim_IntList, ATEN.amax.default])
    return function, (of(rng), numbers(rng, rng.randint(0, 3), -4, 4), rng.random() < 0.5)


def padding(rng: random.Random) -> Drawn:
    return ATEN.constant_pad_nd.default, (of(rng), numbers(rng, rng.randint(0, 6), -2, 3), 0.0)


def product(rng: random.Random) -> Drawn:
    left = of(rng, mostly(rng, 3, 0, 4))
    if left.ndim < 3 or rng.random() < 0.2:
        return ATEN.bmm.default, (left, of(rng))
    return ATEN.bmm.default, (left, torch.empty([left.shape[0], left.shape[2], rng.randint(0, 3)], device="meta"))


def of_two(rng: random.Random) -> Drawn:
    function = rng.choice(
        [ATEN.add.Tensor, ATEN.mul.Tensor, ATEN.div.Tensor, ATEN.rsub.Tensor, ATEN._prelu_kernel.default]
    )
    one = of(rng)
    other = near(rng, one)
    return function, ((one, other) if rng.random() < 0.6 else (other, one))


def of_one(rng: random.Random) -> Drawn:
    return rng.choice([ATEN.relu.default, ATEN.gelu.default, ATEN.sqrt.default, ATEN.exp.default]), (of(rng),)


def in_place(rng: random.Random) -> Drawn:
    one = of(rng)
    return rng.choice([ATEN.add_.Tensor, ATEN.mul_.Tensor, ATEN.copy_.default]), (one, near(rng, one))


def resize(rng: random.Random) -> Drawn:
    sides = numbers(rng, mostly(rng, 2, 0, 3), mostly(rng, 1, -1, 1), 6)
    image = of(rng, mostly(rng, 4, 0, 5))
    if rng.random() < 0.5:
        return ATEN.upsample_nearest2d.default, (image, sides)
    return ATEN.upsample_bilinear2d.default, (image, sides, False)


@pytest.mark.parametrize(
    "drawn", [concatenation, convolution, reduction, padding, product, of_two, of_one, in_place, resize]
)
def test_it_is_what_torch_gives_or_nothing(drawn: Callable[[random.Random], Drawn]) -> None:
    rng, given_shapes = random.Random(0), 0
    for _ in range(TRIED):
        function, args = drawn(rng)
        given = shapes_alone(function, args, tensors_in(args))
        try:
            expected = function(*args)
        except (RuntimeError, IndexError, TypeError, ValueError, ZeroDivisionError):
            assert given is None, (function, args)
            continue
        if given is not None:
            given_shapes += 1
            assert (given.shape, given.stride(), given.dtype) == (expected.shape, expected.stride(), expected.dtype), (
                function,
                args,
            )
    assert given_shapes >= GIVEN_AT_LEAST
