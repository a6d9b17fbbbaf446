"""ncnn: a ``.ncnn.param`` of layers and a ``.ncnn.bin`` of weights, which its converter pnnx writes.

A file for any size has no operator that ``ncnn_operators`` must rewrite: IMDN's, SMFANet's and a bicubic input skip's
have one size. The wheels hold neither ``ncnn2table`` nor ``ncnn2int8``, so that there is no int8.
"""

from __future__ import annotations

import re
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from evaluators.export.converter_process import run_converter
from evaluators.export.formats import FP16, FP32, EngineNetwork, Exportable, ExportError, Format
from evaluators.export.ncnn_operators import REWRITTEN
from evaluators.export.quiet_engine import quiet_engine
from evaluators.export.traced import example, quiet, traced
from space.errors import first_line

INPUT = re.compile(r"^Input .*$", re.MULTILINE)
FIXED_INPUT = re.compile(r"^Input .* 0=(\d+) 1=(\d+)", re.MULTILINE)
# How pnnx writes an operator that it did not turn into a layer of ncnn: torch's name, or one of its own kinds.
UNKNOWN_LAYER = re.compile(r"^(\S*(?:::|\.)\S*)\s", re.MULTILINE)
HALF_WEIGHTS = 0x01306B47  # the tag before weights that are stored in 16 bits


class Ncnn(Format):
    """ncnn, Tencent's engine for phones; fp16 stores and computes in 16 bits where the processor can."""

    name, suffix, engine, extra = "ncnn", ".ncnn.param", "ncnn", "export"
    needs = ("ncnn", "pnnx")
    dtypes = (FP32, FP16)
    can_be_dynamic = True

    def write(self, what: Exportable, path: Path) -> tuple[str, ...]:
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            program = traced(what.network, what)  # it refuses what depends on values, which torch.jit.trace freezes
            layers = _converted(what.network, what, Path(folder))
            if _unknown(layers) and not what.dynamic:
                with quiet():
                    rewritten = program.run_decompositions(REWRITTEN).module()
                layers = _converted(rewritten, what, Path(folder))
            unknown = _unknown(layers)
            if unknown:
                raise ExportError(f"ncnn has no layer for {', '.join(unknown)}")
            if not what.dynamic:
                width, height = what.size
                text = layers.read_text(encoding="utf-8")
                layers.write_text(
                    INPUT.sub(rf"\g<0> 0={width} 1={height} 2={what.in_channels}", text), encoding="utf-8"
                )
            layers.replace(path)
            _weights(layers).replace(_weights(path))
        return ()

    def open(self, path: Path, threads: int = 1) -> EngineNetwork:
        try:
            with quiet_engine():
                return _Loaded(path, threads)
        except Exception as error:
            raise ExportError(f"ncnn refuses {path.name}: {first_line(error)}") from error

    def versions(self) -> dict[str, str]:
        return {package: version(package) for package in self.needs}


def _converted(network: nn.Module, what: Exportable, folder: Path) -> Path:
    """The layers that pnnx writes into ``folder``, with the weights beside them."""
    import pnnx

    width, height = what.size
    shapes = [(1, what.in_channels, height, width)]
    if what.dynamic:  # pnnx learns which sides vary from a second shape
        shapes.append((1, what.in_channels, height + 2 * what.multiple, width + 4 * what.multiple))
    scripted = folder / "network.pt"
    try:
        with quiet(), torch.no_grad():
            program = torch.jit.trace(network, example(what), check_trace=False)
    except Exception as error:
        raise ExportError(f"torch.jit.trace refuses it: {first_line(error)}") from error
    scripted.write_bytes(program.save_to_buffer())  # torch's own writing of files ends the process on a full disk
    sizes = [
        f"inputshape{place}=[{','.join(map(str, shape))}]" for place, shape in zip(("", "2"), shapes, strict=False)
    ]
    run_converter("pnnx", [pnnx.EXEC_PATH, scripted.name, *sizes, f"fp16={int(what.dtype == FP16)}"], folder)
    layers = scripted.with_suffix(".ncnn.param")
    if not layers.exists():
        raise ExportError("pnnx wrote no network")
    return layers


def _unknown(layers: Path) -> list[str]:
    return sorted(set(UNKNOWN_LAYER.findall(layers.read_text(encoding="utf-8"))))


class _Loaded(EngineNetwork):
    def __init__(self, path: Path, threads: int) -> None:
        import ncnn

        fixed = FIXED_INPUT.search(path.read_text(encoding="utf-8", errors="replace"))
        self.size = (int(fixed[1]), int(fixed[2])) if fixed else None
        self._mat = ncnn.Mat
        self._net: Any = ncnn.Net()
        half = bool((np.fromfile(_weights(path), dtype="<u4") == HALF_WEIGHTS).any())
        options = self._net.opt
        options.num_threads = threads
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = half
        options.use_bf16_storage = False
        if self._net.load_param(str(path)) or self._net.load_model(str(_weights(path))):
            raise ValueError("its layers cannot be loaded")

    def run(self, image: np.ndarray) -> np.ndarray:
        extractor = self._net.create_extractor()
        extractor.input("in0", self._mat(np.ascontiguousarray(image[0], dtype=np.float32)).clone())
        status, output = extractor.extract("out0")
        if status:
            raise ExportError(f"ncnn stopped with status {status}")
        return np.array(output, dtype=np.float32)[None]


def _weights(path: Path) -> Path:
    return path.with_suffix(".bin")
