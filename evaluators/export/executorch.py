"""ExecuTorch: a ``.pte`` file, whose operators XNNPACK computes as far as it can, and portable kernels the others."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evaluators.export.executorch_int8 import quantized_program
from evaluators.export.formats import FP16, FP32, INT8, EngineNetwork, Exportable, ExportError, Format
from evaluators.export.quiet_engine import quiet_engine
from evaluators.export.traced import HalfInside, quiet, traced
from space.errors import first_line

MAGIC = b"ET"  # before the version, in the fifth byte of a file


class ExecuTorch(Format):
    """ExecuTorch, torch's own engine for phones.

    fp16: weights and arithmetic in half precision, image and output in float32. A file for any size would reserve
    memory for the largest, and so there is none.
    """

    name, suffix, engine, extra = "executorch", ".pte", "ExecuTorch", "executorch"
    needs = ("executorch",)
    dtypes = (FP32, FP16, INT8)
    can_be_dynamic = False

    def write(self, what: Exportable, path: Path) -> tuple[str, ...]:
        program = traced(HalfInside(what.network) if what.dtype == FP16 else what.network, what)
        try:
            with quiet():
                from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
                from executorch.exir import to_edge_transform_and_lower

                if what.dtype == INT8:
                    program = quantized_program(program, what)
                lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
                path.write_bytes(lowered.to_executorch().buffer)
        except Exception as error:
            raise ExportError(f"ExecuTorch refuses it: {first_line(error)}") from error
        return ()

    def open(self, path: Path, threads: int = 1) -> EngineNetwork:
        try:
            with quiet(), quiet_engine():
                return _Loaded(path, threads)
        except Exception as error:
            raise ExportError(f"ExecuTorch refuses {path.name}: {first_line(error)}") from error

    def versions(self) -> dict[str, str]:
        return {name: version(name) for name in ("torch", "executorch")}


class _Loaded(EngineNetwork):
    def __init__(self, path: Path, threads: int) -> None:
        from executorch.exir._serialize._program import deserialize_pte_binary
        from executorch.extension.pybindings.portable_lib import _unsafe_reset_threadpool
        from executorch.runtime import Runtime

        content = path.read_bytes()
        if content[4:6] != MAGIC:  # the runtime ends the process on one that is none
            raise ValueError("it is no .pte file")
        _unsafe_reset_threadpool(threads)
        self._program = Runtime.get().load_program(path)  # kept: the method reads from it
        self._forward: Any = self._program.load_method("forward")
        plan = deserialize_pte_binary(content).program.execution_plan[0]
        self._partitions = len(plan.delegates), tuple(sorted({operator.name for operator in plan.operators}))
        height, width = self._forward.metadata.input_tensor_meta(0).sizes()[2:]
        self.size = (width, height)

    def run(self, image: np.ndarray) -> np.ndarray:
        (output,) = self._forward.execute([torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32))])
        return output.clone().numpy()

    def partitions(self) -> tuple[int, tuple[str, ...]]:
        return self._partitions
