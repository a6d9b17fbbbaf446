"""Every operator of our networks can be written for LiteRT, and what is written computes what torch computes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latency_tables.lowering.fusion import architecture_operators, network_operators
from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.engines.tflite import write_tflite
from latency_tables.measuring.engines.tflite_elementwise import SCALAR
from latency_tables.measuring.engines.tflite_shapes import output_shape
from latency_tables.measuring.plan import bare
from space.errors import UserError
from space.layers.windows import split_into_windows
from space.tasks import TASKS
from space.zoo import ZOO
from tests.random_networks import random_architecture

litert = pytest.importorskip("ai_edge_litert.interpreter")

# Operators that no model can be written for, as a message names their kind and function, and why: none today.
CANNOT_BE_WRITTEN: dict[str, str] = {}
SIZE = (160, 96)  # of the input: several of the windows in which channels attend to each other, on both sides


def kind_of(op: EngineOperator) -> str:
    return " ".join(filter(None, (op.kind, op.function)))


def check_written(operators: set[EngineOperator]) -> None:
    """Each has a model, alone, and writes what its description says; or it is on the list."""
    for op in operators:
        if kind_of(op) in CANNOT_BE_WRITTEN:
            with pytest.raises(UserError, match=f"no model can be written for {op}"):
                write_tflite((op,))
            continue
        assert write_tflite((op,))
        assert np.prod(output_shape(op)) == op.written_elements, op


@pytest.mark.parametrize("name", ZOO)
def test_every_operator_of_a_published_network(name: str) -> None:
    check_written({bare(op) for op in architecture_operators(ZOO[name].architecture, SIZE)})


@pytest.mark.parametrize("networks", [10, pytest.param(100, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", TASKS)
def test_every_operator_of_random_networks(name: str, networks: int) -> None:
    task, generator = TASKS[name], np.random.default_rng(11)
    for _ in range(networks):
        arch = random_architecture(task.shape(task.default_scale), task.backbones, generator)
        check_written({bare(op) for op in architecture_operators(arch, (64, 48))})


class Called(nn.Module):
    """``function`` of its inputs but the image."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, image: Tensor, *operands: Tensor) -> Tensor:
        return self.function(*operands)


def channels_last(tensor: Tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.movedim(1, -1).numpy() if tensor.ndim == 4 else tensor.numpy())


CASES: dict[str, tuple[Callable[..., Tensor], tuple[tuple[int, ...], ...]]] = {
    "clamp_min": (lambda x: x.clamp_min(SCALAR), ((1, 8, 6, 5),)),
    "clamp_max": (lambda x: x.clamp_max(SCALAR), ((1, 8, 6, 5),)),
    "clamp_min of windows": (lambda x: x.clamp_min(SCALAR), ((3, 8, 1, 1),)),
    "product of two": (lambda a, b: torch.mm(a, b), ((6, 5), (5, 4))),
    "batch of products": (torch.bmm, ((3, 6, 5), (3, 5, 4))),
    "batch of one product": (torch.bmm, ((1, 6, 5), (1, 5, 4))),
    "batch of long products": (torch.bmm, ((5, 2, 30), (5, 30, 2))),
    "sum of windows": (torch.mul, ((3, 4, 6, 5), (3, 4, 6, 5))),
    "windows by their own factors": (torch.mul, ((3, 4, 6, 5), (3, 4, 1, 1))),
    "windows by one number": (lambda x: x * SCALAR, ((3, 4, 6, 5),)),
    "sum over each window": (lambda x: x.sum((2, 3), keepdim=True), ((3, 4, 6, 5),)),
    "mean over the channels of windows": (lambda x: x.mean(1, keepdim=True), ((3, 4, 6, 5),)),
    "strongest of each window": (lambda x: F.adaptive_max_pool2d(x, 1), ((3, 4, 6, 5),)),
    "windows below each other": (lambda *parts: torch.cat(parts, 0), ((2, 4, 6, 5),) * 3),
    "joined along height": (lambda *parts: torch.cat(parts, 2), ((1, 4, 6, 5),) * 3),
    "joined along width": (lambda *parts: torch.cat(parts, 3), ((1, 4, 6, 5),) * 3),
    "joined along channels": (lambda *parts: torch.cat(parts, 1), ((1, 4, 6, 5),) * 3),
    "softmax of windows": (lambda x: x.softmax(-1), ((3, 4, 4),)),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_written_computes_what_torch_computes(name: str) -> None:
    """Alone, with the images of a batch below each other where it does not matter which is which."""
    function, shapes = CASES[name]
    generator = torch.Generator().manual_seed(0)
    operands = [torch.rand(shape, generator=generator) for shape in shapes]
    (op,) = network_operators(Called(function), 3, (16, 16), shapes)
    interpreter = litert.Interpreter(model_content=write_tflite((op,)), num_threads=1)
    interpreter.allocate_tensors()
    for entry, operand in zip(interpreter.get_input_details(), operands, strict=True):
        interpreter.set_tensor(entry["index"], channels_last(operand).reshape(entry["shape"]))
    interpreter.invoke()
    (output,) = interpreter.get_output_details()
    result = interpreter.get_tensor(output["index"])
    assert result.shape == output_shape(op)
    expected = channels_last(function(*operands))
    assert op.written_elements == expected.size
    np.testing.assert_allclose(result.ravel(), expected.ravel(), rtol=1e-5)


def test_windows_of_an_image_are_joined_below_each_other() -> None:
    operators = network_operators(Called(lambda x: split_into_windows(x, 8)), 3, (16, 16), ((1, 4, 20, 24),))
    joined = [op for op in operators if op.kind == "concat"]
    assert [(op.function, op.height, op.width) for op in joined] == [
        ("of 3 along height", 3 * 8, 24),
        ("of 3 along height", 9 * 8, 8),
    ]
    assert all(op.read_elements == op.written_elements for op in joined)
