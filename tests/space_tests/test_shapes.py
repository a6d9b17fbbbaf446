"""What operators give on shapes alone: the same as torch's own meta device, wherever something is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from space.operators.shapes import made_on_meta, shapes_alone, tensors_in

ATEN = torch.ops.aten


def of(*shape: int, **options: Any) -> Tensor:
    return torch.empty(shape, device="meta", **options)


def convolution(
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int] = (1, 1),
    padding: Sequence[int] = (0, 0),
    dilation: Sequence[int] = (1, 1),
    transposed: bool = False,
    groups: int = 1,
) -> tuple[Any, ...]:
    """The arguments of a convolution of ``IMAGE``."""
    return IMAGE, weight, bias, stride, padding, dilation, transposed, [0, 0], groups


def as_whole(value: Any) -> Any:
    """A tensor as one of whole numbers."""
    return value.to(torch.int32) if isinstance(value, Tensor) else value


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
    "convolution": (ATEN.convolution.default, convolution(of(8, 4, 3, 3), of(8), padding=[1, 1])),
    "strided": (ATEN.convolution.default, convolution(of(8, 4, 3, 2), None, stride=[2, 3])),
    "dilated": (ATEN.convolution.default, convolution(of(4, 1, 3, 3), of(4), dilation=[2, 1], groups=4)),
    "one-number-for-both": (ATEN.convolution.default, convolution(of(8, 4, 2, 2), None, stride=[2], padding=[1])),
    "of-one-axis": (ATEN.convolution.default, (of(2, 4, 9), *convolution(of(8, 4, 3), None, [2], [1], [1])[1:])),
    "of-three-axes": (
        ATEN.convolution.default,
        (of(1, 4, 9, 8, 7), *convolution(of(8, 4, 3, 2, 1), None, [2], [0], [1])[1:]),
    ),
    "padded": (ATEN.constant_pad_nd.default, (IMAGE, [1, 2, -1, 0], 0.0)),
    "product": (ATEN.bmm.default, (of(2, 3, 5), of(2, 5, 7))),
    "square-root": (ATEN.sqrt.default, (IMAGE,)),
    "clamped": (ATEN.clamp_min.default, (IMAGE, 1e-6)),
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
    "transposed-convolution": (ATEN.convolution.default, convolution(of(4, 8, 2, 2), None, transposed=True)),
    "whole-convolution": (ATEN.convolution.default, tuple(map(as_whole, convolution(of(8, 4, 3, 3), None)))),
    "other-channels": (ATEN.convolution.default, convolution(of(8, 3, 3, 3), None)),
    "kernel-over-image": (ATEN.convolution.default, convolution(of(8, 4, 7, 3), None)),
    "nothing-left": (ATEN.constant_pad_nd.default, (IMAGE, [-5, 0], 0.0)),
    "mismatched-product": (ATEN.bmm.default, (of(2, 3, 5), of(2, 4, 7))),
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


@pytest.mark.parametrize("option", [{"dtype": torch.float64}, {"out": of(2, 4, 1, 1)}])
def test_what_an_option_changes_is_left_to_torch(option: dict[str, Any]) -> None:
    args = (IMAGE, [2, 3], True)
    assert shapes_alone(ATEN.sum.dim_IntList, args, [IMAGE], option) is None
    assert shapes_alone(ATEN.sum.dim_IntList, args, [IMAGE], {"dtype": None}) is not None
    with made_on_meta():
        made = torch.sum(*args, **option)
    assert made.dtype == option.get("dtype", torch.float32)
    assert made is option.get("out", made)


def test_in_place_it_is_what_was_written() -> None:
    assert shapes_alone(ATEN.add_.Tensor, (IMAGE, CHANNELS), [IMAGE, CHANNELS]) is IMAGE
    assert shapes_alone(ATEN.add_.Tensor, (CHANNELS, IMAGE), [CHANNELS, IMAGE]) is None


@pytest.mark.parametrize("name", ["uniform_", "normal_", "fill_", "zero_"])
def test_values_change_no_shape(name: str) -> None:
    function = getattr(ATEN, name)
    overload = getattr(function, "Scalar" if name == "fill_" else "default")
    assert shapes_alone(overload, (IMAGE,), [IMAGE]) is IMAGE


MADE: dict[str, Callable[[], nn.Module]] = {
    "convolution": lambda: nn.Conv2d(3, 8, 3),
    "transposed": lambda: nn.ConvTranspose2d(8, 3, 2, stride=2),
    "norm": lambda: nn.BatchNorm2d(8),
    "linear": lambda: nn.Linear(8, 4),
    "attention": lambda: nn.MultiheadAttention(8, 2),
    "recurrent": lambda: nn.LSTM(8, 4),
}


@pytest.mark.parametrize("name", MADE)
def test_a_module_made_on_meta_is_torchs_own(name: str) -> None:
    with torch.device("meta"):
        expected = MADE[name]().state_dict()
    with made_on_meta():
        made = MADE[name]().state_dict()
    assert {key: (each.shape, each.dtype, each.device) for key, each in made.items()} == {
        key: (each.shape, each.dtype, each.device) for key, each in expected.items()
    }


def test_values_elsewhere_are_drawn_as_ever() -> None:
    with made_on_meta():
        drawn = nn.Conv2d(2, 2, 3, device="cpu")
        zeros = nn.init.zeros_(torch.empty(3, device="cpu"))
        ones = nn.init.constant_(tensor=torch.empty(3, device="cpu"), val=1)
    assert drawn.weight.std() > 0
    assert zeros.tolist() == [0, 0, 0]
    assert ones.tolist() == [1, 1, 1]


def test_tensors_are_found_in_order() -> None:
    assert tensors_in((IMAGE, [None, CHANNELS], 3, {"other": IMAGE})) == [IMAGE, CHANNELS, IMAGE]
