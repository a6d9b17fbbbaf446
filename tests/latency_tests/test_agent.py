"""The agent and the session with it, with a stand-in for the engine: what goes well, and everything that goes wrong."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from latency_tables.measuring.targets.agent_session import AGENT, AgentSession
from latency_tables.measuring.targets.session import ConnectionLostError, Job
from space.errors import UserError

INTERPRETER = """
import os, time
class Interpreter:
    def __init__(self, model_content, num_threads):
        print("chatter on standard output", flush=True)
        os.system("echo chatter of a child")
        self.word = model_content.decode()
        if self.word == "refused":
            raise ValueError("no such operator,\\nreally")
    def allocate_tensors(self): pass
    def get_input_details(self): return []
    def invoke(self):
        if self.word == "crash":
            os.abort()
        if self.word == "spin":
            end = time.process_time() + 0.002
            while time.process_time() < end: pass
"""


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a package that passes for LiteRT."""
    package = tmp_path / "engine" / "ai_edge_litert"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text('__version__ = "1.0"\n')
    (package / "interpreter.py").write_text(INTERPRETER)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    return package


@pytest.fixture
def session(engine: Path) -> Iterator[AgentSession]:
    opened = AgentSession((sys.executable, str(AGENT)), "litert", (), 1)
    yield opened
    opened.close()


def job(word: str, **changes: float) -> Job:
    return Job(word, word.encode(), 1, (), **{"warmup": 1, "repeats": 3, "budget_s": 5.0, **changes})


def conversation(*requests: dict | str) -> list[dict]:
    lines = [request if isinstance(request, str) else json.dumps(request) for request in requests]
    done = subprocess.run(
        [sys.executable, str(AGENT)], input="\n".join(lines), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_whole_conversation(engine: Path) -> None:
    time = {"do": "time", "name": "a", "engine": "litert", "threads": 1, "cores": [], "warmup": 1, "repeats": 4}
    described, loaded, timed, bye = conversation(
        {"do": "describe", "engine": "litert", "cores": [], "threads": 1},
        {"do": "load", "name": "a", "model": base64.b64encode(zlib.compress(b"spin")).decode(), "id": 7},
        {**time, "budget_s": 5.0},
        {"do": "bye"},
        {"do": "describe", "engine": "litert", "cores": [], "threads": 1},  # nobody listens any more
    )
    assert described["identity"]["engine_version"] == "1.0"
    assert described["identity"]["hostname"]
    assert set(described["state"]) >= {"governor", "clock_mhz", "temperature_c", "load", "python"}
    assert loaded == {"loaded": "a", "bytes": 4, "id": 7}
    assert len(timed["runs_ms"]) == len(timed["busy_ms"]) == 4
    assert min(timed["busy_ms"]) >= 2
    assert bye == {"bye": True}


def test_requests_that_make_no_sense(engine: Path) -> None:
    answers = conversation(
        "no JSON",
        "[1]",
        {"do": "dance"},
        {"do": "load", "name": "a", "model": "###"},
        {"do": "describe"},
        {"do": "describe", "engine": "caffe", "threads": 1},
        {"do": "time", "name": "unknown", "engine": "litert", "threads": 1, "warmup": 0, "repeats": 1, "budget_s": 1},
        {"do": "describe", "engine": "litert", "threads": 1, "cores": [987]},
    )
    assert [answer["of"] for answer in answers] == ["agent"] * 8
    assert "one JSON object a line" in answers[0]["error"]
    assert "unknown engine 'caffe'" in answers[5]["error"]
    assert "never loaded" in answers[6]["error"]
    assert "no core set [987]" in answers[7]["error"] or not hasattr(os, "sched_setaffinity")


def test_at_least_one_run_and_no_more_than_the_budget(session: AgentSession) -> None:
    assert len(session.time(job("spin", budget_s=0.0)).runs_ms) == 1
    assert len(session.time(job("spin")).runs_ms) == 3


def test_the_core_set_is_kept_to(engine: Path) -> None:
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system pins no processes")
    core = max(os.sched_getaffinity(0))
    session = AgentSession((sys.executable, str(AGENT)), "litert", (core,), 1)
    assert session.describe().identity["cores"] == [core]
    assert os.sched_getaffinity(session._process.pid) == {core}
    session.close()


def test_an_engine_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    session = AgentSession((sys.executable, "-IS", str(AGENT)), "litert")  # without any installed package
    with pytest.raises(UserError):
        session.describe()
    session.close()


def python(program: str) -> tuple[str, ...]:
    return (sys.executable, "-c", program)


ANSWER = "import json, sys\nrequest = json.loads(input())\nprint({}, flush=True)\ninput()"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (python("print('Welcome to board!', flush=True); input(); input()"), "board: expected the agent.*Welcome"),
        (python(ANSWER.format("'[1, 2]'")), r"board: expected the agent's answer to 'describe', got '\[1, 2\]'"),
        (python(ANSWER.format("json.dumps({'id': 99})")), "expected the agent's answer"),
        (python(ANSWER.format("json.dumps({'id': 1, 'identity': 3})")), "answered no description"),
        (python("import sys; sys.exit('broken pipe somewhere')"), "agent ended with status 1 .*broken pipe somewhere"),
        (("/no/such/program",), "board: cannot start /no/such/program"),
    ],
)
def test_rubbish_names_the_device_and_what_came(command: tuple[str, ...], message: str) -> None:
    session = AgentSession(command, "litert", device_name="board")
    with pytest.raises(ConnectionLostError, match=message):
        session.describe()
    session.close()


TIMES = """
import json
for line in iter(input, ""):
    request = json.loads(line)
    answer = {"bytes": 4} if request["do"] == "load" else ANSWER
    print(json.dumps({**answer, "id": request["id"]}), flush=True)
"""


@pytest.mark.parametrize(
    "answer",
    [
        '{"runs_ms": [], "busy_ms": []}',
        '{"runs_ms": [float("nan")], "busy_ms": [1]}',
        '{"runs_ms": "fast"}',
        "{}",
        '{"runs_ms": [float("inf")], "busy_ms": [1]}',
        '{"runs_ms": [-1.0], "busy_ms": [1]}',
        '{"runs_ms": [0.0], "busy_ms": [1]}',
        '{"runs_ms": [True], "busy_ms": [1]}',
        '{"runs_ms": [1.0] * 9, "busy_ms": [1]}',
        '{"runs_ms": [1.0], "busy_ms": [1], "clock_mhz": "high"}',
    ],
)
def test_figures_that_are_none_are_a_lost_connection(answer: str) -> None:
    session = AgentSession(python(TIMES.replace("ANSWER", answer)), "litert", device_name="board")
    with pytest.raises(ConnectionLostError, match="board: expected"):
        session.time(job("spin"))
    session.close()
