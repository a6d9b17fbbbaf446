"""The same story told to every kind of target: described, timed, failing models, a lost line, closed twice.

Engine, ssh, adb and the phone are stand-ins; what is special to a target is in tests/latency_tests.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from latency_tables.measuring.engines.model_format import ModelFormat
from latency_tables.measuring.targets import target as kinds
from latency_tables.measuring.targets.agent_session import AgentSession
from latency_tables.measuring.targets.session import ConnectionLostError, Job, ModelFailedError, Session
from latency_tables.measuring.targets.ssh import SshSession
from latency_tables.measuring.targets.target import open_session
from space.errors import UserError
from tests.latency_tests.stand_in_programs import BINARIES, BINARY, ENGINE, Phone, stand_in_adb, stand_in_ssh


@dataclass(frozen=True)
class Target:
    """A session, and how to speak to what it reaches.

    ``fine``: words that are models which run; ``failing``: words of models that fail, and what is said of each;
    ``lose`` breaks the line for good; ``left`` is what the device holds of ours.
    """

    name: str
    session: Session
    cores: tuple[int, ...]
    fine: tuple[str, ...]
    failing: dict[str, str]
    lose: Callable[[], object]
    left: Callable[[], list[str]]

    def job(self, word: str) -> Job:
        return Job(word, word.encode(), threads=1, cores=self.cores)


OF_AGENT = {"refused": "^no such operator, really$", "crash": r"^the engine died on crash \(exit status"}


def local(folder: Path, patch: pytest.MonkeyPatch) -> Target:
    patch.setattr(ModelFormat, "require", lambda self: None)
    patch.setenv("PYTHONPATH", str(ENGINE))
    patch.setenv("STAND_IN", str(folder))
    session = open_session("local", "litert")
    assert isinstance(session, AgentSession)

    def lose() -> None:
        assert session._process is not None
        session._process.kill()
        session._process.wait()
        session.time(Job("new", b"new", 1, ()))

    return Target("this machine", session, (), ("fine", "other"), OF_AGENT, lose, list)


def ssh(folder: Path, patch: pytest.MonkeyPatch) -> Target:
    stand_in_ssh(folder)
    (folder / "remote").mkdir()
    patch.setenv("PATH", str(folder), prepend=os.pathsep)
    patch.setenv("TMPDIR", str(folder / "remote"))
    python = f"env STAND_IN={folder} PYTHONPATH={ENGINE} PYTHONDONTWRITEBYTECODE=1 {sys.executable}"
    session = open_session("ssh://board", "litert", remote_python=python)
    assert isinstance(session, SshSession)
    session.waits_s = (0.0, 0.0)

    def left() -> list[str]:
        return [path.name for path in (folder / "remote").iterdir()]

    return Target(
        "ssh://board", session, (), ("fine", "other"), OF_AGENT, lambda: session.time(Job("b", b"break", 1, ())), left
    )


def adb(folder: Path, patch: pytest.MonkeyPatch) -> Target:
    for name in ("bin", "phone"):
        (folder / name).mkdir()
    stand_in_adb(folder / "bin")
    phone = Phone(folder / "phone")
    binary = folder / BINARIES["litert"]
    binary.write_bytes(BINARY)
    patch.setenv("PATH", str(folder / "bin"))
    patch.setenv("PHONE", str(phone.folder))
    session = open_session("adb:PIXEL4", "litert", (7,), benchmark_binary=binary)
    failing = {
        "refused": "ended with status 1: ERROR: Failed to initialize the interpreter$",
        "crash": "ended with status 139: Segmentation fault$",
    }
    return Target(
        "phone PIXEL4",
        session,
        (7,),
        ("new", "old"),
        failing,
        lambda: session.time(Job("u", b"unplug", 1, (7,))),
        phone.files,
    )


TARGETS = {"local": local, "ssh": ssh, "adb": adb}


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    made = TARGETS[request.param](tmp_path, monkeypatch)
    yield made
    made.session.close()


def test_every_kind_of_target_is_tested() -> None:
    assert TARGETS.keys() == kinds.TARGETS.keys()


def test_a_device_is_described_the_same_each_time(target: Target) -> None:
    device = target.session.describe()
    assert device.identity.keys() >= {"hostname", "cpu", "cores", "threads", "engine", "engine_version"}
    assert (device.identity["engine"], device.identity["threads"]) == ("litert", 1)
    assert device.identity["engine_version"]
    assert device.state.keys() >= {"governor", "clock_mhz", "temperature_c"}
    assert json.loads(json.dumps(device.identity)) == device.identity
    assert target.session.describe().identity == device.identity


def test_models_are_timed_again_and_again(target: Target) -> None:
    for word in (*target.fine, *target.fine):
        timing = target.session.time(target.job(word))
        assert timing.name == word
        assert 1 <= len(timing.runs_ms) <= target.job(word).repeats
        assert min(timing.runs_ms) > 0
        assert len(timing.busy_ms) in (0, len(timing.runs_ms))
        assert all(reading is None or reading > 0 for reading in (timing.clock_mhz, timing.temperature_c))


def test_a_model_that_fails_harms_no_other(target: Target) -> None:
    before = target.session.describe().identity
    for word, message in target.failing.items():
        with pytest.raises(ModelFailedError, match=message) as failed:
            target.session.time(target.job(word))
        assert "\n" not in str(failed.value)
        assert target.session.time(target.job(target.fine[0])).runs_ms
    assert target.session.describe().identity == before


def test_a_lost_connection_is_one_line_that_names_the_device(target: Target) -> None:
    target.session.time(target.job(target.fine[0]))
    with pytest.raises(ConnectionLostError, match=target.name) as lost:
        target.lose()
    assert isinstance(lost.value, UserError)
    assert "\n" not in str(lost.value)


def test_it_closes_twice_and_leaves_nothing_behind(target: Target) -> None:
    target.session.close()  # never connected
    target.session.time(target.job(target.fine[0]))
    for _ in range(2):
        target.session.close()
    assert target.left() == []


def test_it_opens_again_after_it_was_closed(target: Target) -> None:
    device = target.session.describe()
    target.session.time(target.job(target.fine[0]))
    target.session.close()
    assert target.session.describe().identity == device.identity
    assert target.session.time(replace(target.job(target.fine[0]), name="again")).name == "again"
