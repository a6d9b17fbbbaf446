"""ONNX, by torch's exporter, run in ONNX Runtime."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from evaluators.export.formats import FP16, FP32, INT8, EngineNetwork, Exportable, ExportError, Format
from evaluators.export.onnx_int8 import quantized_onnx
from evaluators.export.traced import example, free_sides, quiet
from space.errors import first_line

OPSET = 20  # with GELU, and bicubic resizing whose kernel ends at the image's border as torch's does (18)


class Onnx(Format):
    """A ``.onnx`` file of opset ``OPSET``, run in ONNX Runtime on a CPU.

    fp16: weights and values in half precision, image and output in float32 (``onnxruntime.transformers.float16``). An
    engine without half-precision arithmetic, as ONNX Runtime on x86, computes such operators in float32.
    """

    name = "onnx"
    suffix = ".onnx"
    engine = "ONNX Runtime"
    extra = "export"
    needs = ("onnx", "onnxscript", "onnxruntime")
    dtypes = (FP32, FP16, INT8)
    can_be_dynamic = True

    def write(self, what: Exportable, path: Path) -> tuple[str, ...]:
        import onnx

        try:
            with quiet():
                content = _converted(what.network, what.in_channels, what.size, what.dynamic, what.multiple)
            model = onnx.load_from_string(content)
            if what.dtype == FP16:
                model = _halved(model)
            if what.dtype == INT8:
                model = quantized_onnx(model, what)
        except OSError:
            raise
        except Exception as error:
            raise ExportError(f"torch's ONNX exporter refuses it: {_cause(error)}") from error
        path.write_bytes(model.SerializeToString())
        return (f"opset {OPSET}",)

    def open(self, path: Path, threads: int = 1) -> EngineNetwork:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = threads
        options.log_severity_level = 3
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ExportError(f"ONNX Runtime refuses {path.name}: {first_line(error)}") from error
        return _Session(session)

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")}


class _Session(EngineNetwork):
    def __init__(self, session: Any) -> None:
        self.session = session
        (image,) = session.get_inputs()
        height, width = image.shape[-2:]
        self.name = image.name
        self.size = (width, height) if isinstance(height, int) and isinstance(width, int) else None

    def run(self, image: np.ndarray) -> np.ndarray:
        return self.session.run(None, {self.name: np.ascontiguousarray(image)})[0]


@lru_cache(maxsize=1)
def _converted(network: nn.Module, in_channels: int, size: tuple[int, int], dynamic: bool, multiple: int) -> bytes:
    """The float32 file of ``network``, which is the start of the others and takes the exporter much time."""
    what = Exportable(network, in_channels, size, dynamic, multiple)
    program = torch.onnx.export(
        network,
        (example(what),),
        dynamo=True,
        dynamic_shapes=free_sides(what),
        opset_version=OPSET,
        input_names=["image"],
        output_names=["output"],
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    # The exporter notes at each node and value which line of which file on this machine it comes from.
    for each in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output, model.graph):
        del each.metadata_props[:]
        each.doc_string = ""
    return model.SerializeToString()


def _halved(model: Any) -> Any:
    from onnxruntime.transformers.float16 import convert_float_to_float16

    halved = convert_float_to_float16(model, keep_io_types=True)
    # A value that several operators read in float32 gets a cast for each, all of one name, which ONNX Runtime refuses.
    seen: dict[str, Any] = {}
    for node in list(halved.graph.node):
        if seen.setdefault(node.name, node) is node or not node.name:
            continue
        if list(seen[node.name].output) == list(node.output):
            halved.graph.node.remove(node)
        else:
            node.name = f"{node.name}_{len(seen)}"
            seen[node.name] = node
    return halved


def _cause(error: BaseException) -> str:
    """The exporter's own message says what to send to torch's developers; what went wrong is its cause."""
    while error.__cause__ is not None:
        error = error.__cause__
    return first_line(error)
