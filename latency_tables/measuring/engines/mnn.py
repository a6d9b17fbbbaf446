"""MNN: its converter reads the .tflite file that LiteRT would run."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.engines.model_format import ModelFormat
from latency_tables.measuring.engines.tflite import write_tflite
from space.errors import UserError

# The package's own entry point, MNN.tools.mnnconvert, must not be imported: it runs ``pip install`` for a logging
# package and reports each use over the network. The compiled converter beneath it does neither.
CONVERTER = "import sys, _tools; _tools.mnnconvert(['mnnconvert', *sys.argv[1:]])"


def write_mnn(operators: Sequence[EngineOperator]) -> bytes:
    """The model file of ``operators``, converted in a separate process: on error the converter ends its process.

    Raises:
        UserError: the converter refuses the model.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "model.tflite"), Path(folder, "model.mnn")
        source.write_bytes(write_tflite(operators))
        command = [
            sys.executable,
            "-c",
            CONVERTER,
            "-f",
            "TFLITE",
            "--modelFile",
            str(source),
            "--MNNModel",
            str(target),
            "--bizCode",
            "litefront",
        ]
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
        if done.returncode or not target.exists():
            lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
            raise UserError(f"MNN's converter refused {operators[0]}: {lines[-1] if lines else 'it said nothing'}")
        return target.read_bytes()


MNN = ModelFormat("mnn", "MNN", ("MNN", "ai_edge_litert", "flatbuffers"), write_mnn)
