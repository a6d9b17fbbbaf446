"""MNN: one ``.mnn`` file, which its compiled converter makes of an ONNX file."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evaluators.export.converter_process import last_words, run_converter
from evaluators.export.formats import FP16, FP32, INT8, EngineNetwork, Exportable, ExportError, Format
from evaluators.export.mnn_int8 import named_by_index, quantized_mnn, read_json, write_json
from evaluators.export.onnx import Onnx
from evaluators.export.quiet_engine import quiet_engine
from evaluators.export.tolerances import TOLERANCES
from latency_tables.measuring.engines.mnn import CONVERTER
from space.errors import first_line

OPTIONS = {FP32: (), FP16: ("--fp16",), INT8: ("--weightQuantBits", "8")}
EQUAL = 1e-12  # mean square of a difference of nothing
WEIGHTS_ALONE = ("--weightQuantBits", "8", "--hqq")  # with a zero point, found by half-quadratic quantization


class Mnn(Format):
    """MNN, Alibaba's engine for phones.

    fp16: weights in 16 bits, and arithmetic where the processor has it and is asked to (``precision: low``). int8:
    weights and the values around convolutions; weights alone where MNN's int8 kernels give another picture.
    """

    name, suffix, engine, extra = "mnn", ".mnn", "MNN", "export"
    needs = ("MNN", "onnx", "onnxscript")
    dtypes = (FP32, FP16, INT8)
    can_be_dynamic = True

    def write(self, what: Exportable, path: Path) -> tuple[str, ...]:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            source, target = Path(folder, "network.onnx"), Path(folder, "network.mnn")
            Onnx().write(replace(what, dtype=FP32), source)
            _convert("ONNX", source, target, *OPTIONS[what.dtype])
            notes: tuple[str, ...] = ()
            if what.dtype == INT8:
                similarity_db = _quantize(target, what)
                if similarity_db < TOLERANCES[INT8].psnr_db:
                    _convert("ONNX", source, target, *WEIGHTS_ALONE)
                    notes = (f"int8 weights, values in float: with int8 values {similarity_db:.1f} dB to torch",)
            target.replace(path)
        return notes

    def open(self, path: Path, threads: int = 1) -> EngineNetwork:
        try:
            with quiet_engine():
                return _Loaded(path, threads)
        except Exception as error:
            raise ExportError(f"MNN refuses {path.name}: {first_line(error)}") from error

    def versions(self) -> dict[str, str]:
        return {package: version(package) for package in self.needs}


def _convert(kind: str, source: Path, target: Path, *options: str) -> None:
    """Write ``target`` in a process of its own: the converter ends its process on error."""
    command = [sys.executable, "-c", CONVERTER, "-f", kind, "--modelFile", source.name, "--bizCode", "litefront"]
    command += ["--JsonFile" if target.suffix == ".json" else "--MNNModel", target.name, *options]
    output = run_converter("MNN's converter", command, source.parent)
    if not target.exists() or "failed" in output:  # it writes a file without the operators that it does not know
        raise ExportError(f"MNN's converter wrote no whole network{last_words(output)}")


def _quantize(path: Path, what: Exportable) -> float:
    """Write int8 values into the file, and return its PSNR to torch's output over the calibration pictures."""
    described, measured = path.with_suffix(".json"), path.with_name("measured.mnn")
    _convert("MNN", path, described)
    model = read_json(described)
    write_json(named_by_index(model), described)
    _convert("JSON", described, measured)
    with quiet_engine():
        write_json(quantized_mnn(model, measured, what), described)
    _convert("JSON", described, path)
    with quiet_engine(), torch.inference_mode():
        engine = _Loaded(path, 1)
        squares = [(engine.run(each) - what.network(torch.from_numpy(each)).numpy()) ** 2 for each in what.calibration]
    return float(-10 * np.log10(max(np.mean(squares), EQUAL)))


class _Loaded(EngineNetwork):
    def __init__(self, path: Path, threads: int) -> None:
        import MNN

        self._mnn: Any = MNN
        self._network: Any = MNN.Interpreter(str(path))
        # "high": in fp32 where the file does not say otherwise; "low" computes in what a processor likes.
        self._session = self._network.createSession({"backend": "CPU", "precision": "high", "numThread": threads})
        if self._session is None:
            raise ValueError("its operators cannot be loaded")
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
