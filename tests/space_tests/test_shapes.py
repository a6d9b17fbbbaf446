"""What operators give on shapes alone: the same as torch's own meta device, wherever something is given."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from space.operators.shapes import shapes_alone, tensors_in

ATEN = torch.ops.aten


def of(*shape: int, **options: Any) -> Tensor:
    return torch.empty(shape, device="meta", **options)


IMAGE, CHANNELS = of(2, 4, 6, 5), of(1, 4, 1, 1)
PLAIN = {
    "relu": (ATEN.relu.default, (IMAGE,)),
    "prelu": (ATEN._prelu_kernel.default, (IMAGE, CHANNELS)),
    "add": (ATEN.add.Tensor, (IMAGE, CHANNELS)),
    "add-number": (ATEN.add.Tensor, (IMAGE, 1.0)),
    "smaller-first": (ATEN.mul.Tensor, (of(1), IMAGE)),
    "concatenation": (ATEN.cat.default, ([IMAGE, of(2, 3, 6, 5)], 1)),
    "concatenation-from-the-end": (ATEN.cat.default, ([IMAGE, of(2, 4, 6, 1)], -1)),
    "mean": (ATEN.mean.dim, (IMAGE, [-1, 2], True)),
    "sum": (ATEN.sum.dim_IntList, (IMAGE, [1])),
    "amax": (ATEN.amax.default, (IMAGE, [1], True)),
    "resize": (ATEN.upsample_bilinear2d.default, (IMAGE, [12, 10], False)),
}
LEFT_TO_TORCH = {
    "both-broadcast": (ATEN.add.Tensor, (of(4, 1), of(1, 5))),
    "transposed": (ATEN.relu.default, (IMAGE.transpose(2, 3),)),
    "channels-last": (ATEN.relu.default, (IMAGE.contiguous(memory_format=torch.channels_last),)),
    "other-type": (ATEN.add.Tensor, (IMAGE, of(1, dtype=torch.float64))),
    "whole-numbers": (ATEN.sigmoid.default, (of(3, dtype=torch.int64),)),
    "mean-of-all": (ATEN.mean.default, (IMAGE,)),
    "values": (ATEN.relu.default, (torch.zeros(3),)),
    "no-rule": (ATEN.max_pool2d_with_indices.default, (IMAGE, [2, 2])),
    "mismatched-concatenation": (ATEN.cat.default, ([IMAGE, of(2, 3, 6, 4)], 1)),
}


@pytest.mark.parametrize("name", PLAIN)
def test_it_is_what_torch_gives(name: str) -> None:
    function, args = PLAIN[name]
    given, expected = shapes_alone(function, args, tensors_in(args)), function(*args)
    assert given is not None
    assert given.is_meta
    assert (given.shape, given.stride(), given.dtype) == (expected.shape, expected.stride(), expected.dtype)


@pytest.mark.parametrize("name", LEFT_TO_TORCH)
def test_what_is_not_plain_is_left_to_torch(name: str) -> None:
    function, args = LEFT_TO_TORCH[name]
    assert shapes_alone(function, args, tensors_in(args)) is None


def test_in_place_it_is_what_was_written() -> None:
    assert shapes_alone(ATEN.add_.Tensor, (IMAGE, CHANNELS), [IMAGE, CHANNELS]) is IMAGE
    assert shapes_alone(ATEN.add_.Tensor, (CHANNELS, IMAGE), [CHANNELS, IMAGE]) is None


def test_tensors_are_found_in_order() -> None:
    assert tensors_in((IMAGE, [None, CHANNELS], 3, {"other": IMAGE})) == [IMAGE, CHANNELS, IMAGE]
