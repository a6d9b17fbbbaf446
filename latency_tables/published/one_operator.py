"""TensorFlow Lite models of one operator, in fp32 and int8, for operators that the published networks lack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from latency_tables.operators import EngineOperator

SCALE = 1 / 32  # of every int8 activation and weight; sizes of numbers do not matter to speed
# Of operators that are not 1 in fp32 and 2 in int8.
VERSIONS = {
    "PRELU": {"int8": 1}, "CONV_2D": {"int8": 3}, "RESIZE_BILINEAR": {"fp32": 3, "int8": 3},
    "RESIZE_NEAREST_NEIGHBOR": {"fp32": 3, "int8": 3},
}  # fmt: skip
Options = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Model:
    """``operator`` is what ``content`` runs, with shapes as the cost model counts them."""

    operator: EngineOperator
    content: bytes


class _Writer:
    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.buffers = 3, [schema.BufferT()]
        self.graph.tensors = []

    def tensor(self, shape: Sequence[int], values: np.ndarray | None = None, scale: float = SCALE) -> int:
        entry = schema.TensorT()
        entry.shape, entry.name, entry.buffer = list(shape), f"t{len(self.graph.tensors)}", 0
        entry.type = {"fp32": schema.TensorType.FLOAT32, "int8": schema.TensorType.INT8}[self.dtype]
        if values is not None:
            if values.dtype == np.int32:
                entry.type = schema.TensorType.INT32
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            entry.buffer = len(self.model.buffers) - 1
        if self.dtype == "int8" and scale:
            entry.quantization = schema.QuantizationParametersT()
            entry.quantization.scale, entry.quantization.zeroPoint = [scale], [0]
        self.graph.tensors.append(entry)
        return len(self.graph.tensors) - 1

    def constant(self, shape: Sequence[int]) -> int:
        """Weights: small numbers, none zero."""
        steps = np.arange(int(np.prod(shape))) % 13 - 6.5
        values = (steps / 8).astype(np.float32) if self.dtype == "fp32" else steps.astype(np.int8)
        return self.tensor(shape, values.reshape(shape))

    def finish(self, name: str, inputs: list[int], operands: list[int], outputs: list[int], options: Options) -> bytes:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = VERSIONS.get(name, {}).get(self.dtype, 1 if self.dtype == "fp32" else 2)
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = 0, operands, outputs
        kind, values = options
        if kind:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = getattr(schema, kind + "T")()
            for key, value in values.items():
                setattr(operator.builtinOptions, key, value)
        self.model.operatorCodes, self.graph.operators = [code], [operator]
        self.graph.inputs, self.graph.outputs, self.model.subgraphs = inputs, outputs, [self.graph]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def elementwise(name: str, kind: str, function: str, inputs: int = 1, options: Options = ("", {})) -> Callable:
    """A maker of models of ``name`` whose output has the shape of its ``inputs`` inputs."""

    def make(dtype: str, height: int, width: int, channels: int) -> Model:
        writer, shape = _Writer(dtype), (1, height, width, channels)
        sources = [writer.tensor(shape) for _ in range(inputs)]
        operands = [*sources, writer.constant((1, 1, channels))] if name == "PRELU" else sources
        scale = {"LOGISTIC": 1 / 256, "SOFTMAX": 1 / 256, "TANH": 1 / 128}.get(name, SCALE)
        output = writer.tensor(shape, scale=scale)
        if dtype == "int8" and name in ("LOGISTIC", "SOFTMAX"):
            writer.graph.tensors[output].quantization.zeroPoint = [-128]
        read = inputs * height * width * channels
        op = EngineOperator(kind, height, width, channels, channels, read, function=function)
        return Model(op, writer.finish(name, sources, operands, [output], options))

    return make


def moved(name: str, kind: str, function: str, factor: int, options: Options) -> Callable:
    """A maker of models that change the size by ``factor``: depth to space, space to depth, resize, transposition."""

    def make(dtype: str, height: int, width: int, channels: int) -> Model:
        writer = _Writer(dtype)
        source = writer.tensor((1, height, width, channels))
        operands, shape = [source], (1, height * factor, width * factor, channels)
        if name == "DEPTH_TO_SPACE":
            shape = (1, height * factor, width * factor, channels // factor**2)
        elif name == "SPACE_TO_DEPTH":
            shape = (1, height // factor, width // factor, channels * factor**2)
        elif name == "TRANSPOSE":
            shape = (1, width, height, channels)
            operands.append(writer.tensor((4,), np.array([0, 2, 1, 3], np.int32), 0))
        else:
            operands.append(writer.tensor((2,), np.array(shape[1:3], np.int32), 0))
        output = writer.tensor(shape)
        op = EngineOperator(
            kind, shape[1], shape[2], channels, shape[3], height * width * channels, function=function, factor=factor
        )
        return Model(op, writer.finish(name, [source], operands, [output], options))

    return make


def convolution(kernel: int, stride: int = 1, transposed: bool = False) -> Callable:
    """A maker of convolutions of equally many channels; ``height`` and ``width`` are those of the input."""

    def make(dtype: str, height: int, width: int, channels: int) -> Model:
        writer = _Writer(dtype)
        source, weights = writer.tensor((1, height, width, channels)), (channels, kernel, kernel, channels)
        factor = stride if transposed else 1
        shape = (1, height * factor, width * factor, channels)
        filters = writer.constant(weights)
        bias = np.zeros(channels, np.float32 if dtype == "fp32" else np.int32)
        common = {"padding": schema.Padding.SAME, "strideW": stride, "strideH": stride}
        if transposed:
            operands = [writer.tensor((4,), np.array(shape, np.int32), 0), filters, source]
            name, options = "TRANSPOSE_CONV", ("TransposeConvOptions", common)
        else:
            operands = [source, filters, writer.tensor((channels,), bias, SCALE**2)]
            dilation = {"dilationWFactor": 1, "dilationHFactor": 1, "fusedActivationFunction": 0}
            name, options = "CONV_2D", ("Conv2DOptions", {**common, **dilation})
        op = EngineOperator(
            "transposed_conv" if transposed else "conv", shape[1], shape[2], channels, channels,
            height * width * channels, kernel=(kernel, kernel), stride=(stride, stride),
        )  # fmt: skip
        return Model(op, writer.finish(name, [source], operands, [writer.tensor(shape)], options))

    return make
