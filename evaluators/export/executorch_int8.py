"""int8 for ExecuTorch: torchao's quantization of an exported program (PT2E), annotated for XNNPACK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node

from evaluators.export.formats import Exportable
from evaluators.export.quantization import SILENT, Range, end_ranges, is_silent

SMALLEST_SCALE = 2.0**-24  # XNNPACKQuantizer's own configuration has 2^-12, which is coarse for weights below 1/32


def quantized_program(program: ExportedProgram, what: Exportable) -> ExportedProgram:
    """``program``, that of ``what`` in float32, with int8 operators where XNNPACK has them."""
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import XNNPACKQuantizer
    from torchao.quantization.pt2e import MinMaxObserver
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantizer = XNNPACKQuantizer().set_global(_per_channel())
    prepared = prepare_pt2e(program.module(), quantizer)
    images = [torch.from_numpy(picture) for picture in what.calibration]
    with torch.no_grad():
        for image in images:
            prepared(image)
    for observer in prepared.modules():
        if isinstance(observer, MinMaxObserver) and is_silent(float(observer.min_val), float(observer.max_val)):
            _set_range(observer, SILENT)
    image_range, output_range = end_ranges(what)
    for observer in _after_input(prepared):
        _set_range(observer, image_range)
    for observer in _before_output(prepared):
        _set_range(observer, output_range)
    return torch.export.export(convert_pt2e(prepared), (images[0],))


def _per_channel() -> Any:
    """Weights from -127 to 127 per output channel, values from -128 to 127 per tensor, both by min and max."""
    from torchao.quantization.pt2e import MinMaxObserver, PerChannelMinMaxObserver
    from torchao.quantization.pt2e.quantizer import QuantizationConfig, QuantizationSpec

    values = QuantizationSpec(
        dtype=torch.int8,
        quant_min=-128,
        quant_max=127,
        qscheme=torch.per_tensor_affine,
        observer_or_fake_quant_ctr=MinMaxObserver.with_args(eps=SMALLEST_SCALE),
    )
    weights = QuantizationSpec(
        dtype=torch.int8,
        quant_min=-127,
        quant_max=127,
        qscheme=torch.per_channel_symmetric,
        ch_axis=0,
        observer_or_fake_quant_ctr=PerChannelMinMaxObserver.with_args(eps=SMALLEST_SCALE),
    )
    return QuantizationConfig(values, values, weights, None, False)


def _after_input(prepared: GraphModule) -> Iterator[Any]:
    (image,) = (node for node in prepared.graph.nodes if node.op == "placeholder")
    for user in image.users:
        if user.op == "call_module":
            yield prepared.get_submodule(str(user.target))


def _before_output(prepared: GraphModule) -> Iterator[Any]:
    """Those of the output, and of what it is moved from: a pixel shuffle has no scale of its own."""
    (end,) = (node for node in prepared.graph.nodes if node.op == "output")
    node: Node = end.all_input_nodes[0]
    while node.op == "call_module" or node.target in _MOVING:
        if node.op == "call_module":
            yield prepared.get_submodule(str(node.target))
        node = node.all_input_nodes[0]


_MOVING = {
    torch.ops.aten.pixel_shuffle.default,
    torch.ops.aten.slice.Tensor,
    torch.ops.aten.permute.default,
    torch.ops.aten.view.default,
    torch.ops.aten.reshape.default,
    torch.ops.aten.clone.default,
}


def _set_range(observer: Any, limits: Range) -> None:
    for held, limit in zip((observer.min_val, observer.max_val), limits, strict=True):
        held.fill_(limit)
