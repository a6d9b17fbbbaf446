"""Operators as nodes of a .tflite file, by kind.

A ReLU that was fused is not written: XNNPACK clamps the output of every convolution anyway. DEPTH_TO_SPACE orders its
channels otherwise than torch's pixel shuffle; it moves the same bytes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.engines.input_shapes import Shape, input_shapes, joined_axis
from latency_tables.measuring.engines.tflite_elementwise import activation, arithmetic, elementwise
from latency_tables.measuring.engines.tflite_file import TfliteFile
from latency_tables.measuring.engines.tflite_shapes import Node, Weights, must_be_reshaped, output_shape
from space.errors import UserError

REDUCTIONS = {"mean": "MEAN", "sum": "SUM", "max": "REDUCE_MAX", "amax": "REDUCE_MAX", "amin": "REDUCE_MIN"}


def write_node(file: TfliteFile, op: EngineOperator, sources: list[int], weights: Weights) -> int:
    """Add ``op`` to ``file``; returns its output tensor.

    Raises:
        UserError: TensorFlow Lite has no operator for it; the message names it.
    """
    if op.kind not in NODES:
        raise UserError(f"no model can be written for {op}: its kind has no builtin operator of TensorFlow Lite")
    return NODES[op.kind](file, op, _as_read(file, op, sources), weights)


def _as_read(file: TfliteFile, op: EngineOperator, sources: list[int]) -> list[int]:
    """``sources`` in the shapes that ``op`` reads: where the network takes one shape for another, as a layer norm takes
    an image for a column of pixels, a RESHAPE stands between. In which order it leaves values matters to no time."""
    if op.kind == "matmul" and len(sources) == 1:
        return sources  # in any shape
    try:
        wanted = input_shapes(op)
    except UserError:
        return sources
    if len(wanted) != len(sources):
        return sources
    return [_reshaped(file, source, shape) for source, shape in zip(sources, wanted, strict=True)]


def _reshaped(file: TfliteFile, source: int, shape: Shape) -> int:
    own = file.shapes[source]
    if own == shape or math.prod(own) != math.prod(shape):
        return source
    return file.node("RESHAPE", (source, file.constant(shape, np.int32)), shape, "ReshapeOptions", newShape=shape)


def _padding(file: TfliteFile, op: EngineOperator, source: int) -> int:
    """SAME or VALID, whichever gives the output size of ``op``."""
    sizes, outputs = file.shapes[source][1:3], (op.height, op.width)
    if all(math.ceil(size / step) == out for size, step, out in zip(sizes, op.stride, outputs, strict=True)):
        return file.schema.Padding.SAME
    spans = [dilation * (taps - 1) + 1 for dilation, taps in zip(op.dilation, op.kernel, strict=True)]
    if all(
        (size - span) // step + 1 == out for size, span, step, out in zip(sizes, spans, op.stride, outputs, strict=True)
    ):
        return file.schema.Padding.VALID
    raise UserError(f"no model can be written for {op}: its padding is neither that of equal size nor none")


def _conv(file: TfliteFile, op: EngineOperator, sources: list[int], weights: Weights) -> int:
    values, bias = weights(op)
    depthwise = op.kind == "depthwise_conv"
    windows: dict[str, Any] = {
        "padding": _padding(file, op, sources[0]),
        "strideH": op.stride[0],
        "strideW": op.stride[1],
        "dilationHFactor": op.dilation[0],
        "dilationWFactor": op.dilation[1],
    }
    if depthwise:
        windows["depthMultiplier"] = op.out_channels // op.in_channels
    code, options = ("DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions") if depthwise else ("CONV_2D", "Conv2DOptions")
    tensors = (sources[0], file.constant(values), file.constant(bias))
    return file.node(code, tensors, output_shape(op), options, **windows)


def _transposed_conv(file: TfliteFile, op: EngineOperator, sources: list[int], weights: Weights) -> int:
    _, height, width, _ = file.shapes[sources[0]]
    if (height * op.stride[0], width * op.stride[1]) != (op.height, op.width):
        raise UserError(f"no model can be written for {op}: its output must be its input's size times the stride")
    values, bias = weights(op)
    tensors = (file.constant(output_shape(op), np.int32), file.constant(values), sources[0], file.constant(bias))
    return file.node(
        "TRANSPOSE_CONV",
        tensors,
        output_shape(op),
        "TransposeConvOptions",
        version=3,
        padding=file.schema.Padding.SAME,
        strideH=op.stride[0],
        strideW=op.stride[1],
    )


def _matmul(file: TfliteFile, op: EngineOperator, sources: list[int], weights: Weights) -> int:
    if len(sources) == 2:
        if tuple(file.shapes[source] for source in sources) != input_shapes(op):
            raise must_be_reshaped(op)
        return file.node("BATCH_MATMUL", sources, output_shape(op), "BatchMatMulOptions")
    values, bias = weights(op)
    shape = (*file.shapes[sources[0]][:-1], op.out_channels)
    tensors = (sources[0], file.constant(values), file.constant(bias))
    return file.node("FULLY_CONNECTED", tensors, shape, "FullyConnectedOptions", keepNumDims=True)


def _concat(file: TfliteFile, op: EngineOperator, sources: list[int], weights: Weights) -> int:
    return file.node("CONCATENATION", sources, output_shape(op), "ConcatenationOptions", axis=joined_axis(op))


def _pool(file: TfliteFile, op: EngineOperator, sources: list[int], weights: Weights) -> int:
    code = "MAX_POOL_2D" if op.function == "max" else "AVERAGE_POOL_2D"
    return file.node(
        code,
        sources,
        output_shape(op),
        "Pool2DOptions",
        padding=_padding(file, op, sources[0]),
        strideH=op.stride[0],
        strideW=op.stride[1],
        filterHeight=op.kernel[0],
        filterWidth=op.kernel[1],
    )


def _resize(file: TfliteFile, op: EngineOperator, sources: list[int], weights: Weights) -> int:
    name = {"nearest": "NearestNeighbor", "bilinear": "Bilinear"}.get(op.function)
    if name is None:
        raise UserError(f"no model can be written for {op}: TensorFlow Lite resizes by nearest and bilinear only")
    tensors = (sources[0], file.constant((op.height, op.width), np.int32))
    code = "RESIZE_NEAREST_NEIGHBOR" if op.function == "nearest" else "RESIZE_BILINEAR"
    return file.node(
        code, tensors, output_shape(op), f"Resize{name}Options", version=3, halfPixelCenters=True, alignCorners=False
    )


def _shuffle(code: str, options: str) -> Node:
    def write(file: TfliteFile, op: EngineOperator, sources: list[int], weights: Weights) -> int:
        return file.node(code, sources, output_shape(op), options, blockSize=op.factor)

    return write


def _pad(file: TfliteFile, op: EngineOperator, sources: list[int], weights: Weights) -> int:
    _, height, width, _ = file.shapes[sources[0]]
    rows, columns = op.height - height, op.width - width
    amounts = ((0, 0), (rows // 2, rows - rows // 2), (columns // 2, columns - columns // 2), (0, 0))
    return file.node("PAD", (sources[0], file.constant(amounts, np.int32)), output_shape(op), "PadOptions")


def _copy(file: TfliteFile, op: EngineOperator, sources: list[int], weights: Weights) -> int:
    """A channel shuffle, or a slice.

    A slice takes the first channels: ``op`` does not say where it begins, which matters little to its time.
    """
    if op.function == "channel_shuffle":
        return _channel_shuffle(file, op, sources[0])
    if op.function not in ("slice", "plain"):
        raise UserError(f"no model can be written for {op}: what it copies does not follow from its description")
    shape = output_shape(op)
    if any(size > given for size, given in zip(shape, file.shapes[sources[0]], strict=True)):
        raise UserError(f"no model can be written for {op}: it is larger than what it reads")
    tensors = (sources[0], file.constant((0, 0, 0, 0), np.int32), file.constant(shape, np.int32))
    return file.node("SLICE", tensors, shape, "SliceOptions")


def _channel_shuffle(file: TfliteFile, op: EngineOperator, source: int) -> int:
    """Channel i of group g goes to place i * groups + g: a transposition of (groups, channels of a group)."""
    pixels, each = op.height * op.width, op.in_channels // op.groups

    def reshaped(tensor: int, shape: Shape) -> int:
        return file.node("RESHAPE", (tensor, file.constant(shape, np.int32)), shape, "ReshapeOptions", newShape=shape)

    apart = reshaped(source, (pixels, op.groups, each))
    order = file.constant((0, 2, 1), np.int32)
    turned = file.node("TRANSPOSE", (apart, order), (pixels, each, op.groups), "TransposeOptions")
    return reshaped(turned, output_shape(op))


def _reduce(file: TfliteFile, op: EngineOperator, sources: list[int], weights: Weights) -> int:
    if op.function not in REDUCTIONS:
        raise UserError(f"no model can be written for {op}: TensorFlow Lite has no reduction {op.function!r}")
    axes = (1, 2) if op.out_channels == op.in_channels else (3,)
    tensors = (sources[0], file.constant(axes, np.int32))
    return file.node(REDUCTIONS[op.function], tensors, output_shape(op), "ReducerOptions", keepDims=True)


def _softmax(file: TfliteFile, op: EngineOperator, sources: list[int], weights: Weights) -> int:
    return file.node("SOFTMAX", sources, file.shapes[sources[0]], "SoftmaxOptions", beta=1.0)


def _norm(file: TfliteFile, op: EngineOperator, sources: list[int], weights: Weights) -> int:
    if op.function != "batch_norm":
        raise UserError(f"no model can be written for {op}: TensorFlow Lite has no operator for it")
    scaled = file.node("MUL", (sources[0], file.constant(np.full(op.in_channels, 0.9))), output_shape(op), "MulOptions")
    return file.node("ADD", (scaled, file.constant(np.full(op.in_channels, 0.1))), output_shape(op), "AddOptions")


NODES: dict[str, Node] = {
    "conv": _conv,
    "depthwise_conv": _conv,
    "grouped_conv": _conv,
    "transposed_conv": _transposed_conv,
    "matmul": _matmul,
    "activation": activation,
    "add": arithmetic("ADD", "AddOptions"),
    "multiply": arithmetic("MUL", "MulOptions"),
    "elementwise": elementwise,
    "concat": _concat,
    "pool": _pool,
    "resize": _resize,
    "pixel_shuffle": _shuffle("DEPTH_TO_SPACE", "DepthToSpaceOptions"),
    "pixel_unshuffle": _shuffle("SPACE_TO_DEPTH", "SpaceToDepthOptions"),
    "pad": _pad,
    "copy": _copy,
    "reduce": _reduce,
    "softmax": _softmax,
    "norm": _norm,
}
