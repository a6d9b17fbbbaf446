"""LiteRT (TensorFlow Lite), by litert-torch, run by XNNPACK on a CPU."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from torch import nn

from evaluators.export.formats import FP16, FP32, INT8, EngineNetwork, Exportable, ExportError, Format
from evaluators.export.litert_int8 import quantized_tflite, with_scales
from evaluators.export.litert_resizing import with_torchs_pixels
from evaluators.export.traced import example, quiet
from space.errors import first_line


class LiteRt(Format):
    """A ``.tflite`` file for one size, whose image and output are channels last `(1, h, w, C)`.

    fp16: the weights of convolutions in half precision; XNNPACK computes in float32, or in half precision on a phone
    that has it and is asked to (``force_fp16``). int8: image and output are int8 too, with the scale and zero point in
    the file: of an 8-bit image, its values less 128.

    The harness's writer of .tflite files (``latency_tables.measuring``) is no second way to such a file: an operator
    that is only timed has made-up weights, no fused activation and no place of what it slices.
    """

    name = "litert"
    suffix = ".tflite"
    engine = "LiteRT"
    extra = "export"
    needs = ("litert_torch", "ai_edge_litert", "ai_edge_quantizer")
    dtypes = (FP32, FP16, INT8)
    can_be_dynamic = False
    has_float_layers = True

    def write(self, what: Exportable, path: Path) -> tuple[str, ...]:
        try:
            with quiet():
                network = with_scales(what.network) if what.dtype == INT8 else what.network
                content = _converted(network, what.in_channels, what.size)
                if what.dtype == FP16:
                    content = _halved(content)
                if what.dtype == INT8:
                    content = quantized_tflite(content, what)
        except (OSError, ExportError):
            raise
        except Exception as error:
            raise ExportError(f"litert-torch refuses it: {first_line(error)}") from error
        path.write_bytes(content)
        return ()

    def open(self, path: Path, threads: int = 1) -> EngineNetwork:
        from ai_edge_litert.interpreter import Interpreter

        try:
            with quiet():
                interpreter = Interpreter(model_path=str(path), num_threads=threads)
                interpreter.allocate_tensors()
        except Exception as error:
            raise ExportError(f"LiteRT refuses {path.name}: {first_line(error)}") from error
        return _Interpreter(interpreter)

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("torch", "litert-torch", "ai-edge-litert")}


@lru_cache(maxsize=1)
def _converted(network: nn.Module, in_channels: int, size: tuple[int, int]) -> bytes:
    """The float32 file of ``network``, which is the start of the others and takes the converter much time."""
    import litert_torch
    from litert_torch import config

    config.show_progress = False
    channels_last = litert_torch.to_channel_last_io(network, args=[0], outputs=[0]).eval()
    image = example(Exportable(network, in_channels, size)).permute(0, 2, 3, 1).contiguous()
    with TemporaryDirectory() as folder:
        path = Path(folder, "model.tflite")
        litert_torch.convert(channels_last, (image,)).export(str(path))
        return with_torchs_pixels(path.read_bytes())


def _halved(content: bytes) -> bytes:
    from ai_edge_quantizer import quantizer, recipe_manager
    from ai_edge_quantizer.qtyping import TFLOperationName

    halving = quantizer.Quantizer(content)
    halving.add_weight_only_config(
        ".*", TFLOperationName.ALL_SUPPORTED, 16, algorithm_key=recipe_manager.AlgorithmName.FLOAT_CASTING
    )
    return bytes(halving.quantize().quantized_model)


class _Interpreter(EngineNetwork):
    def __init__(self, interpreter: Any) -> None:
        self.interpreter = interpreter
        (self.image,) = interpreter.get_input_details()
        (self.output,) = interpreter.get_output_details()
        _, height, width, _ = self.image["shape"]
        self.size = (int(width), int(height))

    def run(self, image: np.ndarray) -> np.ndarray:
        values = _encoded(np.ascontiguousarray(image.transpose(0, 2, 3, 1)), self.image)
        self.interpreter.set_tensor(self.image["index"], values)
        self.interpreter.invoke()
        return _decoded(self.interpreter.get_tensor(self.output["index"]), self.output).transpose(0, 3, 1, 2)

    def partitions(self) -> tuple[int, tuple[str, ...]]:
        """XNNPACK's, and what lies between them.

        The interpreter tells of all operators and, among them, of each partition as one called DELEGATE; which of them
        it replaces follows from what it reads and writes.
        """
        operators = self.interpreter._get_ops_details()
        partitions = [each for each in operators if each["op_name"] == "DELEGATE"]
        own = [each for each in operators if each["op_name"] != "DELEGATE"]
        maker = {int(output): each for each in own for output in each["outputs"]}
        replaced: set[int] = set()
        for partition in partitions:
            read, waiting = set(map(int, partition["inputs"])), list(map(int, partition["outputs"]))
            while waiting:
                made_by = maker.get(waiting.pop())
                if made_by is not None and made_by["index"] not in replaced:
                    replaced.add(made_by["index"])
                    waiting += [int(tensor) for tensor in made_by["inputs"] if int(tensor) not in read]
        left_out = {each["op_name"] for each in own if each["index"] not in replaced}
        return len(partitions), tuple(sorted(left_out))


def _encoded(values: np.ndarray, tensor: Mapping[str, Any]) -> np.ndarray:
    """float32 ``values`` as ``tensor``, an entry of the interpreter's details, holds them."""
    if tensor["dtype"] == np.float32:
        return values
    scale, zero = tensor["quantization"]
    return np.clip(np.round(values / np.float32(scale)) + zero, -128, 127).astype(tensor["dtype"])


def _decoded(values: np.ndarray, tensor: Mapping[str, Any]) -> np.ndarray:
    if tensor["dtype"] == np.float32:
        return values
    scale, zero = tensor["quantization"]
    return (values.astype(np.float32) - zero) * np.float32(scale)
