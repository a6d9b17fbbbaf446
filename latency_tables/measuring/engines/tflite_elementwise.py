"""Element-wise operators and activations as nodes of a .tflite file."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.engines.input_shapes import Shape
from latency_tables.measuring.engines.tflite_file import TfliteFile
from latency_tables.measuring.engines.tflite_shapes import Node, Weights, must_be_reshaped, output_shape
from space.errors import UserError

UNARY = ("abs", "neg", "exp", "log", "sqrt", "rsqrt", "sin", "cos", "floor", "ceil", "round", "square")
BINARY = {
    "maximum": "MAXIMUM",
    "clamp_min": "MAXIMUM",
    "minimum": "MINIMUM",
    "clamp_max": "MINIMUM",
    "pow": "POW",
    "sub": "SUB",
}
SCALAR = 0.5  # a second operand that is one number of the network's; which, matters little to its time
ACTIVATIONS = {
    "relu": ("RELU", ""),
    "relu6": ("RELU6", ""),
    "sigmoid": ("LOGISTIC", ""),
    "tanh": ("TANH", ""),
    "elu": ("ELU", ""),
    "gelu": ("GELU", "GeluOptions"),
    "hardswish": ("HARD_SWISH", "HardSwishOptions"),
    "leaky_relu": ("LEAKY_RELU", "LeakyReluOptions"),
}


def _spread(file: TfliteFile, op: EngineOperator, operands: list[int]) -> Shape:
    """The shape of an operation on ``operands``, the smaller of which is spread over the larger.

    Raises:
        UserError: it is not the size of what ``op`` writes: in the network, a reshaping lies between.
    """
    try:
        shape: Shape = np.broadcast_shapes(*(file.shapes[operand] for operand in operands))
    except ValueError:
        shape = ()
    if math.prod(shape) != op.written_elements:
        raise must_be_reshaped(op)
    return shape


def arithmetic(code: str, options: str) -> Node:
    def write(file: TfliteFile, op: EngineOperator, sources: list[int], weights: Weights) -> int:
        operands = sources if len(sources) > 1 else [sources[0], file.constant(SCALAR)]
        return file.node(code, operands, _spread(file, op, operands), options)

    return write


def _slope(op: EngineOperator) -> dict[str, Any]:
    return {"alpha": 0.25} if op.function == "leaky_relu" else {}


def activation(file: TfliteFile, op: EngineOperator, sources: list[int], weights: Weights) -> int:
    shape = file.shapes[sources[0]]
    if op.function in ACTIVATIONS:
        code, options = ACTIVATIONS[op.function]
        return file.node(code, sources, shape, options, **_slope(op))
    if op.function == "prelu":
        slope = file.constant(np.full((1, 1, shape[-1]), 0.25))
        return file.node("PRELU", (sources[0], slope), shape)
    if op.function == "silu":
        gate = file.node("LOGISTIC", sources, shape)
        return file.node("MUL", (sources[0], gate), shape, "MulOptions")
    if op.function == "hardsigmoid":
        shifted = file.node("ADD", (sources[0], file.constant(3.0)), shape, "AddOptions")
        clamped = file.node("RELU6", (shifted,), shape)
        return file.node("MUL", (clamped, file.constant(1 / 6)), shape, "MulOptions")
    raise UserError(f"no model can be written for {op}: TensorFlow Lite has no activation {op.function!r}")


def elementwise(file: TfliteFile, op: EngineOperator, sources: list[int], weights: Weights) -> int:
    if op.function in UNARY:
        return file.node(op.function.upper(), sources, output_shape(op))
    if op.function in BINARY:
        operands = sources if len(sources) > 1 else [sources[0], file.constant(SCALAR)]
        return file.node(BINARY[op.function], operands, _spread(file, op, operands))
    raise UserError(f"no model can be written for {op}: TensorFlow Lite has no operator {op.function!r}")
