"""int8 for LiteRT: ai-edge-quantizer's static quantization of a ``.tflite`` file in float32."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from evaluators.export.formats import Exportable, ExportError
from evaluators.export.quantization import SILENT, WEIGHTED, Range, end_ranges, is_silent
from space.operators import trace

HAS_WEIGHTS = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "BATCH_MATMUL")
"""LiteRT's operators of the kinds ``WEIGHTED``."""
MOVING = ("RESHAPE", "TRANSPOSE", "DEPTH_TO_SPACE", "SLICE", "STRIDED_SLICE")  # they keep values, and so their scale


SMALLEST_WEIGHT = 1e-3
"""Of an output channel, as a share of its bias. The bias is stored in 32 bits on the scale of input times weights;
where these are about zero it does not fit, and the quantizer cuts it. With a scale of the input of 1e-4 it fits from
0.6e-3 on."""


def with_scales(network: nn.Module) -> nn.Module:
    """``network``, or a copy of it in which no channel's weights are all below ``SMALLEST_WEIGHT`` of its bias.

    The largest of them is raised to it, which changes the channel by a thousandth of its bias, times one value of the
    input: less than int8 can say.
    """
    raised = None
    for path, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            least = SMALLEST_WEIGHT * layer.bias.detach().abs()
            small = layer.weight.detach().abs().flatten(1).amax(1) < least
            if small.any():
                raised = copy.deepcopy(network) if raised is None else raised
                _raise_weights(raised.get_submodule(path), small, least)
    return network if raised is None else raised


@torch.no_grad()
def _raise_weights(layer: nn.Module, channels: torch.Tensor, least: torch.Tensor) -> None:
    weights = layer.get_parameter("weight").flatten(1)  # a view
    for channel in channels.nonzero().flatten().tolist():
        place = int(weights[channel].abs().argmax())
        weights[channel, place] = least[channel] if weights[channel, place] >= 0 else -least[channel]


def quantized_tflite(model: bytes, what: Exportable) -> bytes:
    """``model``, the file of ``what`` in float32 with channels last, in int8, its two ends too.

    Operators without an int8 kernel, and ``what.float_layers``, stay in float32 between a dequantization and a
    quantization.

    Raises:
        ExportError: a layer that is to stay in float is not found again in ``model``.
    """
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import algorithm_manager, quantizer, recipe
    from ai_edge_quantizer.qtyping import TFLOperationName

    interpreter = Interpreter(model_content=model)
    (signature,) = interpreter.get_signature_list()
    (image,) = interpreter.get_signature_list()[signature]["inputs"]
    work = quantizer.Quantizer(model, recipe.static_wi8_ai8())
    for tensor in _written_by(interpreter, what) if what.float_layers else ():
        work.update_quantization_recipe(
            f"^{re.escape(tensor)};?$",
            TFLOperationName.ALL_SUPPORTED,
            algorithm_key=algorithm_manager.AlgorithmName.NO_QUANTIZE,
        )
    ranges: dict[str, dict[str, Any]] = {}
    for picture in what.calibration:  # one by one: over several, the quantizer averages the smallest and the largest
        values = {image: np.ascontiguousarray(picture.transpose(0, 2, 3, 1))}
        _widen(ranges, work.calibrate({signature: [values]}, num_threads=1))
    for name, limits in ranges.items():
        if limits and is_silent(float(limits["min"].min()), float(limits["max"].max())):
            _set_range(ranges, name, SILENT)
    image_range, output_range = end_ranges(what)
    _set_range(ranges, interpreter.get_input_details()[0]["name"], image_range)
    for name in _output_tensors(interpreter):
        _set_range(ranges, name, output_range)
    return bytes(work.quantize(ranges, enable_progress_bar=False, enable_progress_report=False).quantized_model)


def _written_by(interpreter: Any, what: Exportable) -> Iterator[str]:
    """The names of the tensors that ``what.float_layers`` write: the quantizer knows an operator by what it writes.

    The converter keeps the order of operators with weights; their numbers and sizes have to agree.
    """
    width, height = what.size
    listed = trace(what.network, (1, what.in_channels, height, width)).operators
    layers = [operator.part for operator in listed if operator.kind in WEIGHTED]
    written = [each for each in interpreter._get_ops_details() if each["op_name"] in HAS_WEIGHTS]
    tensors = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    missing = [layer for layer in what.float_layers if layer not in layers]
    if missing or len(layers) != len(written):
        found = f"no layer {missing[0]}" if missing else f"{len(written)} operators with weights for {len(layers)}"
        raise ExportError(f"layers kept in float must be found again in the LiteRT file, got {found}")
    modules = dict(what.network.named_modules())
    for layer, operator in zip(layers, written, strict=True):
        if layer not in what.float_layers:
            continue
        weight = getattr(modules[layer], "weight", None)
        sizes = {int(np.prod(tensors[index]["shape"])) for index in operator["inputs"] if index in tensors}
        if weight is not None and weight.numel() not in sizes:
            raise ExportError(f"layers kept in float must be found again in the LiteRT file, got another for {layer}")
        yield from (tensors[index]["name"] for index in operator["outputs"])


def _widen(ranges: dict[str, dict[str, Any]], others: dict[str, dict[str, Any]]) -> None:
    for name, other in others.items():
        mine = ranges.setdefault(name, dict(other))
        if other:
            mine.update(min=np.minimum(mine["min"], other["min"]), max=np.maximum(mine["max"], other["max"]))


def _set_range(ranges: dict[str, dict[str, Any]], name: str, limits: Range) -> None:
    if name in ranges:
        low, high = (np.full_like(ranges[name][end], limit) for end, limit in zip(("min", "max"), limits, strict=True))
        ranges[name].update(min=low, max=high)


def _output_tensors(interpreter: Any) -> Iterator[str]:
    """The names of the output, and of the values that it is moved from."""
    names = {tensor["index"]: tensor["name"] for tensor in interpreter.get_tensor_details()}
    producers = {index: each for each in interpreter._get_ops_details() for index in each["outputs"]}
    index = interpreter.get_output_details()[0]["index"]
    yield names[index]
    while (producer := producers.get(index)) is not None and producer["op_name"] in MOVING:
        index = producer["inputs"][0]
        yield names[index]
