"""Models for MNN: converted from the ones for LiteRT, by the converter alone."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring.engines.mnn import write_mnn
from latency_tables.measuring.engines.tflite import chain, write_tflite
from space.errors import UserError

pytest.importorskip("MNN")
litert = pytest.importorskip("ai_edge_litert.interpreter")

CONV = EngineOperator("conv", 8, 12, 4, 4, 384, kernel=(3, 3))


def run_mnn(model: bytes, path: Path, image: np.ndarray) -> np.ndarray:
    import MNN

    path.write_bytes(model)
    interpreter = MNN.Interpreter(str(path))
    session = interpreter.createSession({"backend": "CPU", "precision": "high"})
    source, target = interpreter.getSessionInput(session), interpreter.getSessionOutput(session)
    source.copyFrom(MNN.Tensor(source.getShape(), MNN.Halide_Type_Float, image, source.getDimensionType()))
    interpreter.runSession(session)
    shape = target.getShape()
    result = MNN.Tensor(shape, MNN.Halide_Type_Float, np.zeros(shape, np.float32), target.getDimensionType())
    target.copyToHostTensor(result)
    return np.array(result.getData()).reshape(image.shape)


def test_both_engines_compute_the_same(tmp_path: Path) -> None:
    operators = chain(CONV, 3)
    image = np.random.default_rng(0).uniform(0, 1, (1, 8, 12, 4)).astype(np.float32)
    interpreter = litert.Interpreter(model_content=write_tflite(operators), num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    expected = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(run_mnn(write_mnn(operators), tmp_path / "a.mnn", image), expected, atol=1e-5)


def test_the_converter_installs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package's own entry point runs ``pip install`` of its logging package when it is imported."""
    pip = tmp_path / "pip"
    pip.write_text(f"#!/bin/sh\ntouch {tmp_path}/called\n")
    pip.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert write_mnn((CONV,))
    assert not (tmp_path / "called").exists()


def test_what_it_cannot_convert_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latency_tables.measuring.engines.mnn.write_tflite", lambda operators: b"no model")
    with pytest.raises(UserError, match="MNN's converter refused conv 3x3 4 channels at 12x8"):
        write_mnn((CONV,))
