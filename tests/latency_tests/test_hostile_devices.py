"""Devices that answer nonsense, and names that a phone's shell would obey."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from latency_tables.measuring.targets import adb, agent_session, android
from latency_tables.measuring.targets.agent_session import AgentSession
from latency_tables.measuring.targets.benchmark_program import PROGRAMS
from latency_tables.measuring.targets.session import ConnectionLostError, Job, ModelFailedError
from space.command_line import run_command
from tests.commands import command as own_command

NUMBERS = ["1.2.3", "...", "1e999", "0", "0.0e0", "9" * 5000]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_latency_that_is_no_number_fails_the_model(number: str) -> None:
    litert = f"INFO: count=10 first=1 curr=1 min=1 max=1 avg={number} std=1\nInference timings in us: Init: 1"
    mnn = f"[ - ] model.mnn max = 1 ms min = 1 ms avg = {number} ms"
    for engine, output in (("litert", litert), ("mnn", mnn)):
        with pytest.raises(ModelFailedError) as failed:
            PROGRAMS[engine].latency_ms(output)
        assert len(str(failed.value)) < 400


@pytest.mark.parametrize("text", ["", "\x1b[2J" * 1000, "9" * 10_000, "::::", "\n" * 1000])
def test_a_phone_that_describes_itself_in_nonsense_is_described(text: str) -> None:
    for name in ("cpufreq/scaling_cur_freq", "cpufreq/cpuinfo_max_freq", "cpufreq/scaling_governor"):
        lines = f"/sys/devices/system/cpu/cpu{text}/{name}:{text}\n/sys/devices/system/cpu/cpu0/{name}:{text}"
        parts = dict.fromkeys(["properties", "cpuinfo", "governor", "clock", "top", "battery"], lines)
        parts["zones"] = f"/sys/class/thermal/thermal_zone0/temp:{text}"
        parts["battery"] = f"  temperature: {text}"
        identity, state = android.describe(parts, (0,))
        assert identity["device"] is None
        assert state["clock_mhz"] is None
        assert state["temperature_c"] is None
    assert android.describe({}, ()) is not None


@pytest.mark.parametrize("name", ["bench; reboot", "$(reboot)", "a'b", "`id`", "-x", "a b", "a&&b"])
def test_the_name_of_a_program_reaches_the_phone_quoted(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command of the phone's shell, read as a shell reads it, has the name as one word or not at all."""
    (tmp_path / name).write_bytes(b"\x7fELF")
    commands: list[str] = []

    def answers(*words: str, timeout_s: float = 0) -> subprocess.CompletedProcess[str]:
        if "shell" in words:
            commands.append(words[-1])
        return subprocess.CompletedProcess(words, 0, "device" if words[-1] == "get-state" else "==exit 0\n", "")

    monkeypatch.setattr(adb, "_adb", answers)
    session = adb.AdbSession("PIXEL4", "litert", tmp_path / name)
    session.describe()
    with pytest.raises(ModelFailedError):
        session.time(Job("any", b"model", 1, ()))
    session.close()
    ran = [command for command in commands if name in command.replace("'\"'\"'", "'")]
    assert len(ran) == 3
    for command in ran:
        words = shlex.split(re.sub(r"[;&]", " ", command) if not set(";&") & set(name) else command)
        assert any(word.removeprefix("./").rpartition("/")[2] == name for word in words), command


def agent_that_says(line: str) -> AgentSession:
    program = f"import sys; sys.stdin.readline(); print({line!r}, flush=True); sys.stdin.read()"
    return AgentSession((sys.executable, "-c", program), "litert", device_name="board")


@pytest.mark.parametrize(
    "line",
    ["[" * 100_000, "{}", "null", '{"id": 1}', '{"id": 1, "error": "\\u001b[2J\\n"}', "\x1b]0;x\x07", '{"id": NaN}'],
)
def test_an_agent_that_answers_nonsense_is_one_line(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    session = agent_that_says(line)

    assert run_command("p", "d", [own_command(lambda options: session.describe())], ["go"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: board: ")
    assert error.count("\n") == 1
    assert error[:-1].isprintable()
    assert len(error) < 1100
    session.close()


@pytest.mark.parametrize("number", ["1e400", "-1", "1" + "0" * 500, "NaN", "true", '"1"', "[]"])
def test_timings_that_are_no_numbers_are_no_answer(number: str) -> None:
    session = AgentSession(("none",), "litert", device_name="board")
    with pytest.raises(ConnectionLostError, match="expected milliseconds"):
        session._runs(json.loads(f'{{"runs_ms": [{number}]}}'), "runs_ms", Job("any", b"", 1, ()))


def test_a_line_that_never_ends_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_session, "LONGEST_LINE", 1000)
    taken: list[str | None] = []
    agent_session._read_lines(io.StringIO("x" * 2500), taken.append, True)
    assert [len(piece or "") for piece in taken] == [1000, 1000, 500, 0]


def test_a_silent_agent_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent_session, "START_S", 0.2)
    session = AgentSession((sys.executable, "-c", "import sys; sys.stdin.read()"), "litert", device_name="board")
    with pytest.raises(ConnectionLostError, match="board: no answer to 'describe' within"):
        session.describe()
