"""A session with the agent (``latency_tables/measuring/agent.py``) over the pipes of any command that starts it.

The command may start the agent here, on another host or under an emulator: the protocol is the same.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import queue
import subprocess
import threading
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, cast

from latency_tables.measuring.targets.arm_cores import named_cores
from latency_tables.measuring.targets.session import ConnectionLostError, Device, Job, ModelFailedError, Timing
from space.errors import UserError

AGENT = Path(__file__).parents[1] / "agent.py"
START_S = 60.0  # for the first answer: Python and the engine start on a slow device
ANSWER_S = 120.0  # for a timing beyond its own budget: the model is made ready and warmed up first
LONGEST_LINE = 2**22  # characters; a device that never ends its line must not fill this machine's memory
LARGEST_NUMBER = 1e15  # ms, MHz or degrees, which also an integer of a thousand digits exceeds
KEPT_LINES = 20  # of what the agent's side writes to standard error


class AgentSession:
    """An agent started by ``command``, on a device called ``device_name`` in messages.

    If the agent dies while timing a model, the model is at fault: ``ModelFailedError``, and the next job gets a new
    agent. If it dies at another time, does not answer in time or answers nonsense, the connection counts as lost.
    ``restart_ok`` may veto the first case: it is given the exit status of ``command`` (ssh's own 255 means that the
    connection broke, not the engine).
    """

    def __init__(
        self,
        command: Sequence[str],
        engine: str,
        cores: Sequence[int] = (),
        threads: int = 1,
        device_name: str = "this machine",
        restart_ok: Callable[[int], bool] = lambda status: True,
    ) -> None:
        self.command = tuple(command)
        self.engine, self.cores, self.threads = engine, tuple(cores), threads
        self.device_name = device_name
        self.restart_ok = restart_ok
        self._process: subprocess.Popen[str] | None = None

    def describe(self) -> Device:
        request = {"do": "describe", "engine": self.engine, "cores": list(self.cores), "threads": self.threads}
        answer = self._ask(request, START_S)
        identity, state = answer.get("identity"), answer.get("state")
        if not isinstance(identity, dict) or not isinstance(state, dict):
            raise self._lost(f"answered no description: {_short(answer)}")
        return Device({**identity, "cpu": named_cores(str(identity.get("cpu", "unknown")))}, state)

    def time(self, job: Job) -> Timing:
        """Load the model if this agent does not have it yet, and time it.

        Raises:
            ModelFailedError: the engine refuses it or crashes on it.
            ConnectionLostError: the device is gone or sends invalid answers.
        """
        name = hashlib.sha256(job.model).hexdigest()[:16]
        self._start()
        if name not in self._loaded:
            packed = base64.b64encode(zlib.compress(job.model)).decode()
            answer = self._ask({"do": "load", "name": name, "model": packed}, ANSWER_S)
            if answer.get("bytes") != len(job.model):
                raise self._lost(f"got {answer.get('bytes')!r} of the {len(job.model)} bytes of {job.name}")
            self._loaded.add(name)
        request = {
            "do": "time",
            "name": name,
            "engine": self.engine,
            "threads": job.threads,
            "cores": list(job.cores),
            "warmup": job.warmup,
            "repeats": job.repeats,
            "budget_s": job.budget_s,
        }
        answer = self._ask(request, job.budget_s + ANSWER_S, job.name)
        return Timing(
            job.name,
            self._runs(answer, "runs_ms", job),
            self._runs(answer, "busy_ms", job),
            self._reading(answer, "clock_mhz"),
            self._reading(answer, "temperature_c"),
        )

    def close(self) -> None:
        """End the agent; harmless if it is not running."""
        process, self._process = self._process, None
        if process is None:
            return
        stdin, stdout, stderr = (cast("IO[str]", pipe) for pipe in (process.stdin, process.stdout, process.stderr))
        with contextlib.suppress(OSError, ValueError):
            stdin.write(json.dumps({"do": "bye"}) + "\n")
            stdin.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        stdout.close()
        stderr.close()

    def _start(self) -> subprocess.Popen[str]:
        if self._process is not None:
            return self._process
        self._loaded: set[str] = set()
        self._answers: queue.Queue[str | None] = queue.Queue()
        self._complaints: deque[str] = deque(maxlen=KEPT_LINES)
        self._asked = 0
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(
                self.command,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                text=True,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,  # Ctrl-C is for us; the agent is told
            )
        except OSError as error:
            raise ConnectionLostError(f"{self.device_name}: cannot start {self.command[0]}: {error.strerror}") from None
        self._readers = [
            threading.Thread(target=_read_lines, args=(self._process.stdout, self._answers.put, True), daemon=True),
            threading.Thread(
                target=_read_lines, args=(self._process.stderr, self._complaints.append, False), daemon=True
            ),
        ]
        for reader in self._readers:
            reader.start()
        return self._process

    def _ask(self, request: dict[str, Any], timeout_s: float, model: str | None = None) -> dict[str, Any]:
        """One request, one answer; ``model`` names the model whose fault a death of the agent would be."""
        stdin = self._start().stdin
        assert stdin is not None
        self._asked += 1
        try:
            stdin.write(json.dumps({**request, "id": self._asked}) + "\n")
            stdin.flush()
            line = self._answers.get(timeout=timeout_s)
        except OSError:
            line = None
        except queue.Empty:
            self._kill()
            raise self._lost(f"no answer to {request['do']!r} within {timeout_s:.0f} s") from None
        if line is None:
            raise self._death(request["do"], model)
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or answer.get("id") != self._asked:
            self._kill()
            raise self._lost(f"expected the agent's answer to {request['do']!r}, got {_short(line)}")
        if "error" in answer:
            message = " ".join(str(answer["error"]).split())
            if answer.get("of") == "model":
                raise ModelFailedError(message)
            if "not installed" in message:
                raise UserError(f"{self.device_name}: {message}")
            raise self._lost(message)
        return answer

    def _death(self, doing: str, model: str | None) -> Exception:
        status = self._kill()
        last = self._complaints[-1] if self._complaints else "it said nothing"
        if model is not None and self.restart_ok(status):
            return ModelFailedError(f"the engine died on {model} (exit status {status}; {last})")
        return self._lost(f"the agent ended with status {status} at {doing!r}: {last}")

    def _kill(self) -> int:
        process, self._process = self._process, None
        assert process is not None
        with contextlib.suppress(OSError):
            cast("IO[str]", process.stdin).close()
        try:
            status = process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            process.kill()
            status = process.wait()
        for reader in self._readers:
            reader.join(timeout=1)
        return status

    def _runs(self, answer: dict[str, Any], name: str, job: Job) -> tuple[float, ...]:
        runs = answer.get(name)
        if not isinstance(runs, list) or not 1 <= len(runs) <= job.repeats or not all(map(_is_number, runs)):
            raise self._lost(f"expected milliseconds of {job.name}, got {_short(answer)}")
        if min(runs) < 0 or (name == "runs_ms" and min(runs) == 0):
            raise self._lost(f"expected milliseconds of {job.name}, got {_short(answer)}")
        return tuple(map(float, runs))

    def _reading(self, answer: dict[str, Any], name: str) -> float | None:
        value = answer.get(name)
        if value is not None and not _is_number(value):
            raise self._lost(f"expected {name} as a number, got {_short(value)}")
        return value

    def _lost(self, why: str) -> ConnectionLostError:
        return ConnectionLostError(f"{self.device_name}: {why}")


def _read_lines(stream: Any, take: Callable[[str | None], None], tell_end: bool) -> None:
    """Hand over each line that is not empty, and None at the end if ``tell_end``."""
    with contextlib.suppress(ValueError):  # closed meanwhile
        while line := stream.readline(LONGEST_LINE):
            if line.strip():
                take(line.rstrip("\n"))
    if tell_end:
        take(None)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST_NUMBER


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return repr(text if len(text) <= 100 else text[:97] + "...")
