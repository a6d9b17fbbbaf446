"""MNN: one ``.mnn`` file, which its compiled converter makes of an ONNX file."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from evaluators.export.converter_process import last_words, run_converter
from evaluators.export.formats import FP16, FP32, INT8, EngineNetwork, Exportable, ExportError, Format
from evaluators.export.onnx import Onnx
from latency_tables.measuring.engines.mnn import CONVERTER


class Mnn(Format):
    """MNN, Alibaba's engine for phones; fp16 stores weights in 16 bits and computes so where the processor can."""

    name, suffix, engine, extra = "mnn", ".mnn", "MNN", "export"
    needs = ("MNN", "onnx", "onnxscript")
    dtypes = (FP32, FP16, INT8)
    can_be_dynamic = True

    def write(self, what: Exportable, path: Path) -> tuple[str, ...]:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            source, target = Path(folder, "network.onnx"), Path(folder, "network.mnn")
            Onnx().write(replace(what, dtype=FP32), source)
            command = [sys.executable, "-c", CONVERTER, "-f", "ONNX", "--modelFile", source.name]
            command += ["--MNNModel", target.name, "--bizCode", "litefront"]
            command += ["--fp16"] if what.dtype == FP16 else []
            output = run_converter("MNN's converter", command, source.parent)
            if not target.exists():
                raise ExportError(f"MNN's converter wrote no network{last_words(output)}")
            target.replace(path)
        return ()

    def open(self, path: Path, threads: int = 1) -> EngineNetwork:
        return _Loaded(path, threads)

    def versions(self) -> dict[str, str]:
        return {package: version(package) for package in self.needs}


class _Loaded(EngineNetwork):
    def __init__(self, path: Path, threads: int) -> None:
        import MNN

        self._mnn: Any = MNN
        self._network: Any = MNN.Interpreter(str(path))
        # "high": as in the file, in fp32 where it does not say otherwise; "low" would compute in what a processor likes.
        self._session = self._network.createSession({"backend": "CPU", "precision": "high", "numThread": threads})
        if self._session is None:
            raise ExportError(f"MNN cannot load {path.name}")
        self._input = self._network.getSessionInput(self._session)
        self._output = self._network.getSessionOutput(self._session)
        height, width = self._input.getShape()[2:]
        self.size = (width, height) if min(height, width) > 0 else None

    def run(self, image: np.ndarray) -> np.ndarray:
        if tuple(image.shape) != tuple(self._input.getShape()):
            self._network.resizeTensor(self._input, tuple(image.shape))
            self._network.resizeSession(self._session)
        self._input.copyFrom(self._tensor(np.ascontiguousarray(image, dtype=np.float32)))
        code = self._network.runSession(self._session)
        if code:
            raise ExportError(f"MNN stopped with code {code}")
        output = self._tensor(np.zeros(self._output.getShape(), dtype=np.float32))
        self._output.copyToHostTensor(output)
        return np.array(output.getData(), dtype=np.float32).reshape(self._output.getShape())

    def _tensor(self, values: np.ndarray) -> Any:
        caffe = self._mnn.Tensor_DimensionType_Caffe  # channels before height and width
        return self._mnn.Tensor(values.shape, self._mnn.Halide_Type_Float, values, caffe)
