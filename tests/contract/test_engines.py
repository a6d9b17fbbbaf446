"""What every engine gives: a model file of each operator that it can run, and one line for what it cannot."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from latency_tables.lowering.operators import EngineOperator
from latency_tables.measuring import agent
from latency_tables.measuring.engines import ENGINES, engine_format
from latency_tables.measuring.engines.input_shapes import input_shapes
from latency_tables.measuring.engines.tflite_nodes import NODES
from latency_tables.measuring.engines.tflite_shapes import output_shape
from latency_tables.measuring.targets.agent_session import AGENT, AgentSession
from latency_tables.measuring.targets.benchmark_program import PROGRAMS
from latency_tables.measuring.targets.local import local_session
from latency_tables.measuring.targets.session import ConnectionLostError, Job, ModelFailedError
from space.errors import UserError
from tests.latency_tests.small_operators import OPERATORS, op
from tests.latency_tests.stand_in_programs import ENGINE

Run = Callable[[bytes, list[np.ndarray], EngineOperator, Path], np.ndarray]


def run_litert(model: bytes, images: list[np.ndarray], operator: EngineOperator, path: Path) -> np.ndarray:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    for entry, image in zip(interpreter.get_input_details(), images, strict=True):
        assert tuple(entry["shape"]) == image.shape
        interpreter.set_tensor(entry["index"], image)
    interpreter.invoke()
    (output,) = interpreter.get_output_details()
    return interpreter.get_tensor(output["index"])


def run_mnn(model: bytes, images: list[np.ndarray], operator: EngineOperator, path: Path) -> np.ndarray:
    import MNN

    path.write_bytes(model)
    interpreter = MNN.Interpreter(str(path))
    session = interpreter.createSession({"backend": "CPU", "precision": "high"})
    inputs = interpreter.getSessionInputAll(session)
    for tensor, image in zip((inputs[name] for name in sorted(inputs)), images, strict=True):
        tensor.copyFrom(MNN.Tensor(image.shape, MNN.Halide_Type_Float, image, tensor.getDimensionType()))
    assert interpreter.runSession(session) == 0
    output = interpreter.getSessionOutput(session)
    shape = output.getShape()
    host = MNN.Tensor(shape, MNN.Halide_Type_Float, np.zeros(shape, np.float32), output.getDimensionType())
    output.copyToHostTensor(host)
    return np.array(host.getData(), np.float32).reshape(shape)


RUN: dict[str, Run] = {"litert": run_litert, "mnn": run_mnn}
DISTRIBUTIONS = {"litert": "ai-edge-litert", "mnn": "MNN"}
CANNOT = {  # operators that can be written, but that an engine does not have
    "litert": (),
    "mnn": (
        op("activation", 8, 8, function="elu"),
        op("activation", 8, 8, function="gelu"),
        EngineOperator("matmul", 96, 1, 8, 4, 96 * 8 + 8 * 4),  # of two inputs
    ),
}
CONV = op("conv", 4, 4, kernel=(3, 3))


@pytest.fixture(params=ENGINES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def installed(name: str) -> str:
    missing = [module for module in ENGINES[name].modules if importlib.util.find_spec(module) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed")
    return name


def refused_in_one_line(name: str, operator: EngineOperator) -> None:
    """By the converter, or by the engine when it is to run it."""
    session = local_session(name)
    with pytest.raises((UserError, ModelFailedError)) as refused:
        session.time(Job("it", ENGINES[name].write((operator,)), threads=1, cores=(), warmup=0, repeats=1))
    session.close()
    assert not isinstance(refused.value, ConnectionLostError)
    assert "\n" not in str(refused.value)


def test_an_engine_is_known_wherever_it_is_asked_for(name: str) -> None:
    assert engine_format(name).name == name
    assert ENGINES[name].title
    assert set(ENGINES) == set(agent.ENGINES) == set(PROGRAMS) == set(RUN)


def test_every_kind_that_is_written_is_tested() -> None:
    assert {operator.kind for operator in OPERATORS} == set(NODES)


@pytest.mark.parametrize("operator", OPERATORS, ids=str)
def test_every_operator_runs_alone(installed: str, operator: EngineOperator, tmp_path: Path) -> None:
    if operator in CANNOT[installed]:
        refused_in_one_line(installed, operator)
        return
    shapes = input_shapes(operator, alone=True)
    images = [np.linspace(0.1, 1, int(np.prod(shape)), dtype=np.float32).reshape(shape) for shape in shapes]
    cut = 2 if operator.function == "slice" else 1  # out of twice as many channels
    assert sum(image.size for image in images) == cut * operator.read_elements
    result = RUN[installed](ENGINES[installed].write((operator,)), images, operator, tmp_path / "model")
    assert result.shape == output_shape(operator)
    assert np.isfinite(result).all()
    assert np.ptp(result) > 0 or operator.kind == "softmax"


@pytest.mark.parametrize(
    ("operator", "message"),
    [
        (op("gather", 8, 8, function="grid_sampler_2d"), "gather grid_sampler_2d"),
        (op("activation", 8, 8, function="softplus"), "activation softplus"),
        (op("norm", 8, 8, function="layer_norm"), "norm layer_norm"),
        (op("elementwise", 8, 8, function="erf"), "elementwise erf"),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(installed: str, operator: EngineOperator, message: str) -> None:
    with pytest.raises(UserError, match=f"no model can be written for {message} 8 channels at 12x8") as refused:
        ENGINES[installed].write((operator,))
    assert "\n" not in str(refused.value)


def test_one_that_is_not_installed_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    with pytest.raises(UserError, match=rf"^engine {name} is not installed: pip install 'litefront\[mobile\]'$"):
        local_session(name)


def test_the_device_that_lacks_it_says_what_to_install(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in agent.ENGINES[name].PACKAGES:
        (tmp_path / f"{package}.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    session = AgentSession((sys.executable, str(AGENT)), name, device_name="board")
    with pytest.raises(UserError, match=rf"^board: engine {name} is not installed.*pip install") as refused:
        session.describe()
    assert "\n" not in str(refused.value)
    session.close()


def test_the_agent_tells_its_version_and_times_a_model(installed: str) -> None:
    session = local_session(installed)
    identity = session.describe().identity
    assert (identity["engine"], identity["engine_version"]) == (installed, version(DISTRIBUTIONS[installed]))
    timing = session.time(Job("conv", ENGINES[installed].write((CONV,)), threads=1, cores=(), warmup=1, repeats=3))
    session.close()
    assert len(timing.runs_ms) == 3


def test_the_version_is_that_of_the_package_that_the_device_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for LiteRT's package, which is told from the one installed here by its version."""
    monkeypatch.setenv("PYTHONPATH", str(ENGINE))
    monkeypatch.setenv("STAND_IN", str(tmp_path))
    session = AgentSession((sys.executable, str(AGENT)), "litert")
    assert session.describe().identity["engine_version"] == "1"
    session.close()


def test_an_unknown_engine_is_refused_with_those_there_are() -> None:
    with pytest.raises(UserError, match=f"--engine must be one of {', '.join(ENGINES)}, got 'ncnn'"):
        engine_format("ncnn")
