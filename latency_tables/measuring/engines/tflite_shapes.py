"""The shapes of what an operator writes and of its filter, channels last, and what writes a node of a .tflite file."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.engines.input_shapes import Shape, input_shapes
from latency_tables.measuring.engines.tflite_file import TfliteFile
from space.errors import UserError

# Filter and bias of an operator: filters (out, height, width, in / groups), depthwise (1, height, width, out).
Weights = Callable[[EngineOperator], tuple[np.ndarray, np.ndarray]]
Node = Callable[[TfliteFile, EngineOperator, list[int], Weights], int]


def output_shape(op: EngineOperator) -> Shape:
    """(1, H, W, C) of what ``op`` writes; (rows, columns) of a matmul. Batches are as in ``input_shapes``.

    Raises:
        UserError: it does not follow from the operator; the message names it.
    """
    if op.kind == "reduce":
        one_pixel = op.out_channels == op.in_channels
        return (op.images, 1, 1, op.out_channels) if one_pixel else (op.images, op.height, op.width, 1)
    if op.kind == "matmul":
        batch = (op.images,) if op.images > 1 else ()
        return (*batch, op.height // op.images, op.out_channels)
    if op.kind in ("add", "multiply", "elementwise"):
        return input_shapes(op)[0]
    return (1, op.height, op.width, op.out_channels)


def filter_shape(op: EngineOperator) -> Shape:
    """The shape of the filter of ``op`` as ``Weights`` gives it."""
    if op.kind == "depthwise_conv":
        return (1, *op.kernel, op.out_channels)
    if op.kind == "matmul":
        return (op.out_channels, op.in_channels)
    return (op.out_channels, *op.kernel, op.in_channels // op.groups)


def must_be_reshaped(op: EngineOperator) -> UserError:
    """The error of an operator that can be written alone, but not behind those whose outputs it reads."""
    return UserError(f"no model can be written for {op} among others: what it reads has to be reshaped")
