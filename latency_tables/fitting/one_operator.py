"""TensorFlow Lite models of one operator, in fp32 and int8, for operators that the published networks lack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.engines.tflite_file import Quantisation, Shape, TfliteFile

EVERYWHERE = Quantisation(1 / 32)  # of int8 activations and weights; sizes of numbers do not matter to speed
BIAS = Quantisation(EVERYWHERE.scale**2)
# What int8 operators of a fixed range must give.
OUTPUTS = {
    "LOGISTIC": Quantisation(1 / 256, -128),
    "SOFTMAX": Quantisation(1 / 256, -128),
    "TANH": Quantisation(1 / 128),
}
# Of operators that are not 1 in fp32 and 2 in int8.
VERSIONS = {
    "PRELU": {"int8": 1},
    "CONV_2D": {"int8": 3},
    "RESIZE_BILINEAR": {"fp32": 3, "int8": 3},
    "RESIZE_NEAREST_NEIGHBOR": {"fp32": 3, "int8": 3},
}
Options = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class Model:
    """``operator`` is what ``content`` runs, with shapes as the cost model counts them."""

    operator: EngineOperator
    content: bytes


MakeModel = Callable[[str, int, int, int], Model]  # (dtype, height, width, channels)


def elementwise(name: str, kind: str, function: str, inputs: int = 1, options: Options = ("", {})) -> MakeModel:
    """A maker of models of ``name`` whose output has the shape of its ``inputs`` inputs."""

    def make(dtype: str, height: int, width: int, channels: int) -> Model:
        file, shape = TfliteFile(), (1, height, width, channels)
        sources = [file.tensor(shape, quantisation=_int8_only(dtype)) for _ in range(inputs)]
        operands = [*sources, _weights(file, dtype, (1, 1, channels))] if name == "PRELU" else sources
        output = _node(file, dtype, name, operands, shape, options)
        read = inputs * height * width * channels
        op = EngineOperator(kind, height, width, channels, channels, read, function=function)
        return Model(op, file.finish(sources, [output]))

    return make


def moved(name: str, kind: str, function: str, factor: int, options: Options) -> MakeModel:
    """A maker of models that change the size by ``factor``: depth to space, space to depth, resize, transposition."""

    def make(dtype: str, height: int, width: int, channels: int) -> Model:
        file = TfliteFile()
        source = file.tensor((1, height, width, channels), quantisation=_int8_only(dtype))
        operands, shape = [source], (1, height * factor, width * factor, channels)
        if name == "DEPTH_TO_SPACE":
            shape = (1, height * factor, width * factor, channels // factor**2)
        elif name == "SPACE_TO_DEPTH":
            shape = (1, height // factor, width // factor, channels * factor**2)
        elif name == "TRANSPOSE":
            shape = (1, width, height, channels)
            operands.append(file.constant((0, 2, 1, 3), np.int32))
        else:
            operands.append(file.constant(shape[1:3], np.int32))
        output = _node(file, dtype, name, operands, shape, options)
        op = EngineOperator(
            kind, shape[1], shape[2], channels, shape[3], height * width * channels, function=function, factor=factor
        )
        return Model(op, file.finish([source], [output]))

    return make


def mirrored(dtype: str, height: int, width: int, channels: int) -> Model:
    """The model of an image with a border of one mirrored pixel."""
    file = TfliteFile()
    source = file.tensor((1, height, width, channels), quantisation=_int8_only(dtype))
    shape = (1, height + 2, width + 2, channels)
    operands = [source, file.constant(((0, 0), (1, 1), (1, 1), (0, 0)), np.int32)]
    output = _node(file, dtype, "MIRROR_PAD", operands, shape, ("MirrorPadOptions", {"mode": 0}))
    read = height * width * channels
    op = EngineOperator("pad", height + 2, width + 2, channels, channels, read, function="reflect")
    return Model(op, file.finish([source], [output]))


def convolution(kernel: int, stride: int = 1, transposed: bool = False) -> MakeModel:
    """A maker of convolutions of equally many channels; ``height`` and ``width`` are those of the input."""

    def make(dtype: str, height: int, width: int, channels: int) -> Model:
        file = TfliteFile()
        source = file.tensor((1, height, width, channels), quantisation=_int8_only(dtype))
        factor = stride if transposed else 1
        shape = (1, height * factor, width * factor, channels)
        filters = _weights(file, dtype, (channels, kernel, kernel, channels))
        common = {"padding": file.schema.Padding.SAME, "strideW": stride, "strideH": stride}
        if transposed:
            operands = [file.constant(shape, np.int32), filters, source]
            name, options = "TRANSPOSE_CONV", ("TransposeConvOptions", common)
        else:
            bias_dtype = np.float32 if dtype == "fp32" else np.int32
            operands = [source, filters, file.constant(np.zeros(channels), bias_dtype, _int8_only(dtype, BIAS))]
            dilation = {"dilationWFactor": 1, "dilationHFactor": 1, "fusedActivationFunction": 0}
            name, options = "CONV_2D", ("Conv2DOptions", {**common, **dilation})
        op = EngineOperator(
            "transposed_conv" if transposed else "conv",
            shape[1],
            shape[2],
            channels,
            channels,
            height * width * channels,
            kernel=(kernel, kernel),
            stride=(stride, stride),
        )
        return Model(op, file.finish([source], [_node(file, dtype, name, operands, shape, options)]))

    return make


def _int8_only(dtype: str, quantisation: Quantisation = EVERYWHERE) -> Quantisation | None:
    return quantisation if dtype == "int8" else None


def _weights(file: TfliteFile, dtype: str, shape: Shape) -> int:
    """Small numbers, in fp32 none zero."""
    steps = (np.arange(int(np.prod(shape))) % 13 - 6.5).reshape(shape)
    return file.constant(steps, np.int8, EVERYWHERE) if dtype == "int8" else file.constant(steps / 8)


def _node(file: TfliteFile, dtype: str, name: str, operands: list[int], shape: Shape, options: Options) -> int:
    """The one operator."""
    version = VERSIONS.get(name, {}).get(dtype, {"fp32": 1, "int8": 2}[dtype])
    output = _int8_only(dtype, OUTPUTS.get(name, EVERYWHERE))
    table, values = options
    return file.node(name, operands, shape, table, version=version, quantisation=output, **values)
