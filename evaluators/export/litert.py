"""LiteRT (TensorFlow Lite), by litert-torch, run by XNNPACK on a CPU."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from evaluators.export.formats import FP16, FP32, EngineNetwork, Exportable, ExportError, Format
from evaluators.export.traced import example, quiet
from space.errors import first_line


class LiteRt(Format):
    """A ``.tflite`` file for one size, whose image and output are channels last `(1, h, w, C)`.

    fp16: the weights of convolutions in half precision; XNNPACK computes in float32, or in half precision on a phone
    that has it and is asked to (``force_fp16``).
    """

    name = "litert"
    suffix = ".tflite"
    engine = "LiteRT"
    extra = "export"
    needs = ("litert_torch", "ai_edge_litert")
    dtypes = (FP32, FP16)
    can_be_dynamic = False

    def write(self, what: Exportable, path: Path) -> tuple[str, ...]:
        import litert_torch

        try:
            with quiet():
                channels_last = litert_torch.to_channel_last_io(what.network, args=[0], outputs=[0]).eval()
                image = example(what).permute(0, 2, 3, 1).contiguous()
                litert_torch.convert(channels_last, (image,)).export(str(path))
        except Exception as error:
            raise ExportError(f"litert-torch refuses it: {first_line(error)}") from error
        return ()

    def open(self, path: Path, threads: int = 1) -> EngineNetwork:
        from ai_edge_litert.interpreter import Interpreter

        try:
            interpreter = Interpreter(model_path=str(path), num_threads=threads)
            interpreter.allocate_tensors()
        except Exception as error:
            raise ExportError(f"LiteRT refuses {path.name}: {first_line(error)}") from error
        return _Interpreter(interpreter)

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("torch", "litert-torch", "ai-edge-litert")}


class _Interpreter(EngineNetwork):
    def __init__(self, interpreter: Any) -> None:
        self.interpreter = interpreter
        (self.image,) = interpreter.get_input_details()
        (self.output,) = interpreter.get_output_details()
        _, height, width, _ = self.image["shape"]
        self.size = (int(width), int(height))

    def run(self, image: np.ndarray) -> np.ndarray:
        self.interpreter.set_tensor(self.image["index"], np.ascontiguousarray(image.transpose(0, 2, 3, 1)))
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.output["index"]).transpose(0, 3, 1, 2)
