"""Operators as a .tflite file: a single operator to be timed, or a whole network.

Weights are a pattern, which compresses well; none of their products is denormal, which would slow the processor down.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.engines.input_shapes import input_shapes
from latency_tables.measuring.engines.tflite_file import TfliteFile
from latency_tables.measuring.engines.tflite_nodes import write_node
from latency_tables.measuring.engines.tflite_shapes import Weights, filter_shape, output_shape
from space.errors import UserError

PATTERN = 251  # a prime, so that no row of a filter repeats another


def write_tflite(operators: Sequence[EngineOperator], weights: Weights | None = None) -> bytes:
    """The file of ``operators``, connected by their ``inputs`` and ``output``; a single one stands alone.

    Values that are only read are inputs of the model, values that are only written its outputs.

    Raises:
        UserError: an operator cannot be written; the message names it.
    """
    file = TfliteFile()
    weights = weights or patterned_weights
    alone = len(operators) == 1
    if alone:
        operators = (stand_alone(operators[0]),)
    current: dict[int, int] = {}
    inputs: list[int] = []
    read: set[int] = set()
    for op in operators:
        if any(value not in current for value in op.inputs):
            for value, shape in zip(op.inputs, input_shapes(op, alone), strict=True):
                if value not in current:
                    current[value] = file.tensor(shape)
                    inputs.append(current[value])
        sources = [current[value] for value in op.inputs]
        read.update(sources)
        current[op.output] = write_node(file, op, sources, weights)
    outputs = [tensor for tensor in dict.fromkeys(current.values()) if tensor not in read]
    return file.finish(inputs, outputs)


def stand_alone(op: EngineOperator) -> EngineOperator:
    """``op`` with a separate input for each activation that it reads."""
    count = len(input_shapes(op))
    return replace(op, inputs=tuple(range(count)), output=count)


def chain(op: EngineOperator, copies: int) -> tuple[EngineOperator, ...]:
    """``copies`` of ``op``, each reading the output of the one before.

    Raises:
        UserError: its output has another shape than its input.
    """
    first = stand_alone(op)
    if input_shapes(op)[0] != output_shape(op):
        raise UserError(f"{op} cannot be measured as a chain: its output has another shape than its input")
    rest = first.inputs[1:]
    start = first.output
    return tuple(
        replace(op, inputs=((start + index - 1 if index else 0), *rest), output=start + index)
        for index in range(copies)
    )


def patterned_weights(op: EngineOperator) -> tuple[np.ndarray, np.ndarray]:
    """Filter and bias that keep the size of values from layer to layer; the same every time."""
    shape = filter_shape(op)
    fan_in = math.prod(shape[1:]) if op.kind != "depthwise_conv" else op.taps
    generator = np.random.default_rng(0)
    unit = generator.uniform(0.5, 1.0, PATTERN) * generator.choice((-1.0, 1.0), PATTERN)
    values = np.resize(unit, shape) / math.sqrt(fan_in)
    return values.astype(np.float32), np.full(op.out_channels, 0.01, np.float32)
