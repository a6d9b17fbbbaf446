"""``torch.export``: a file that torch itself loads, for servers and as the start of other converters."""

from __future__ import annotations

import io
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from torch import nn

from evaluators.export.formats import FP16, FP32, EngineNetwork, Exportable, ExportError, Format
from evaluators.export.traced import HalfInside, traced
from space.errors import first_line


class TorchExport(Format):
    """A ``.pt2`` file, written by ``torch.export.save`` and run by torch.

    fp16: weights and arithmetic in half precision, image and output in float32.
    """

    name = "pt2"
    suffix = ".pt2"
    engine = "torch.export"
    extra = ""
    needs = ()
    dtypes = (FP32, FP16)
    can_be_dynamic = True

    def write(self, what: Exportable, path: Path) -> tuple[str, ...]:
        network = HalfInside(what.network) if what.dtype == FP16 else what.network
        content = io.BytesIO()  # written by Python: torch's own writing of files ends the process on a full disk
        torch.export.save(traced(network, what), content)
        path.write_bytes(content.getvalue())
        return ()

    def open(self, path: Path, threads: int = 1) -> EngineNetwork:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                program = torch.export.load(path)
        except Exception as error:
            raise ExportError(f"torch.export cannot load {path.name}: {first_line(error)}") from error
        (name,) = program.graph_signature.user_inputs
        (image,) = (node for node in program.graph.nodes if node.name == name)
        height, width = image.meta["val"].shape[-2:]
        fixed = isinstance(height, int) and isinstance(width, int)
        return _Program(program.module(), (width, height) if fixed else None, threads)

    def versions(self) -> dict[str, str]:
        return {"torch": version("torch")}


class _Program(EngineNetwork):
    def __init__(self, network: nn.Module, size: tuple[int, int] | None, threads: int) -> None:
        self.network, self.size, self.threads = network, size, threads

    def run(self, image: np.ndarray) -> np.ndarray:
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with torch.inference_mode():
                return self.network(torch.from_numpy(np.ascontiguousarray(image))).numpy()
        finally:
            torch.set_num_threads(before)
