"""Hosts over ssh: every case runs with a stand-in for ssh, and with a real sshd on loopback where one is installed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from latency_tables.measuring.targets.session import ConnectionLostError, Job
from latency_tables.measuring.targets.ssh import SshHost, SshSession
from latency_tables.measuring.targets.target import open_session, parse_ssh
from space.errors import UserError
from tests.latency_tests.loopback import start_sshd
from tests.latency_tests.stand_in_programs import ENGINE, stand_in_ssh

Open = Callable[..., SshSession]


@pytest.fixture(scope="module", params=["stand-in", pytest.param("sshd", marks=pytest.mark.long)])
def ssh_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder whose program ``ssh`` reaches the hosts board, refuses, stranger, locked and chatty."""
    folder = tmp_path_factory.mktemp("ssh")
    if request.param == "stand-in":
        stand_in_ssh(folder)
        yield folder
        return
    server = start_sshd(folder)
    yield folder
    server.terminate()
    server.wait(timeout=10)


@pytest.fixture
def open_host(ssh_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Opens sessions whose host has the stand-in for an engine and temporary files of its own."""
    monkeypatch.setenv("PATH", str(ssh_folder), prepend=os.pathsep)
    remote = tmp_path / "remote"
    remote.mkdir()
    monkeypatch.setenv("TMPDIR", str(remote))  # what the stand-in hands on; an sshd hands on nothing
    sessions: list[SshSession] = []

    def open_(host: str = "board", python: str = sys.executable, engine: Path = ENGINE) -> SshSession:
        command = f"env TMPDIR={remote} STAND_IN={tmp_path} PYTHONPATH={engine} PYTHONDONTWRITEBYTECODE=1 {python}"
        session = SshSession(SshHost(host), "litert", python=command, waits_s=(0, 0))
        sessions.append(session)
        return session

    yield open_
    for session in sessions:
        session.close()
    assert not list(remote.iterdir())


def job(word: str) -> Job:
    return Job(word, word.encode(), threads=1, cores=(), warmup=1, repeats=3)


def test_times_models_and_leaves_nothing_behind(open_host: Open) -> None:
    session = open_host()
    device = session.describe()
    assert device.identity["engine_version"] == "1"
    assert len(session.time(job("fine")).runs_ms) == 3
    folder = Path(session._folder)
    assert (folder / "agent.py").is_file()
    session.close()
    assert not folder.exists()


def test_a_connection_that_breaks_is_made_again(open_host: Open, tmp_path: Path) -> None:
    session = open_host()
    before = session.describe().identity
    assert len(session.time(job("break once")).runs_ms) == 3
    assert (tmp_path / "break once").exists()
    assert session.describe().identity == before


def test_a_connection_that_stays_broken_is_lost(open_host: Open) -> None:
    session = open_host()
    with pytest.raises(ConnectionLostError, match=r"^ssh://board: .*\(reconnecting failed 2 times\)$"):
        session.time(job("break"))


def test_another_device_behind_the_same_name_is_refused(open_host: Open) -> None:
    session = open_host()
    session.describe()
    with pytest.raises(UserError, match=r"another device than before .* engine_version differ"):
        session.time(job("break, then another"))


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("refuses", "Connection refused; try by hand: ssh refuses true"),
        ("stranger", "Host key verification failed.; connect once by hand"),
        ("locked", r"Permission denied \(publickey\).; ssh must log in without a password"),
        ("chatty", "its login shell must print nothing without a terminal, got 'Welcome to chatty!'"),
    ],
)
def test_a_host_that_does_not_serve_is_one_line(open_host: Open, host: str, message: str) -> None:
    with pytest.raises(ConnectionLostError, match=f"^ssh://{host}: .*{message}") as caught:
        open_host(host).describe()
    assert "\n" not in str(caught.value)


def test_a_host_without_python_numpy_or_engine_is_one_line(open_host: Open, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no-such-python.*--remote-python"):
        open_host(python="no-such-python").describe()
    with pytest.raises(UserError, match=r"numpy.*install it there"):
        open_host(python=f"{sys.executable} -S").describe()
    for package in ("ai_edge_litert", "tflite_runtime"):
        (tmp_path / "none" / package).mkdir(parents=True)
        (tmp_path / "none" / package / "__init__.py").write_text("raise ImportError")
    with pytest.raises(UserError, match=r"^ssh://board: engine litert is not installed.*pip install ai-edge-litert"):
        open_host(engine=tmp_path / "none").describe()


def test_an_unknown_host_and_a_missing_ssh_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"needs the program ssh"):
        SshSession(SshHost("board"), "litert").describe()
    stand_in_ssh(tmp_path)
    with pytest.raises(ConnectionLostError, match=r"Could not resolve hostname nowhere"):
        SshSession(SshHost("nowhere"), "litert").describe()


def test_targets_are_read_and_written_alike() -> None:
    for text, host in {
        "ssh://board": SshHost("board"),
        "ssh://pi@Board.local": SshHost("Board.local", "pi"),
        "ssh://pi@10.0.0.7:2222": SshHost("10.0.0.7", "pi", 2222),
        "ssh://[fe80::1]:22": SshHost("fe80::1", None, 22),
    }.items():
        assert parse_ssh(text) == host
        assert str(host) == text
    assert SshHost("h", "u", 9).command("x y")[-7:] == ("-p", "9", "-l", "u", "--", "h", "sh -c 'x y'")


@pytest.mark.parametrize(
    "target",
    [
        "",
        "phone",
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://a@-x",
        "ssh://a:secret@h",
        "ssh://h:0",
        "ssh://h:99999",
        "ssh://h/path",
        "adb:",
        "adb:-s",
        "adb:a b",
        "localhost",
    ],
)
def test_a_target_of_no_known_form_is_refused(target: str) -> None:
    with pytest.raises(UserError, match=r"--target must be local, ssh://.* or adb:SERIAL, got"):
        open_session(target, "litert")


@pytest.mark.parametrize(
    ("target", "option"),
    [
        ("local", "remote_python"),
        ("adb:1", "remote_python"),
        ("ssh://h", "benchmark_binary"),
        ("local", "engine_version"),
    ],
)
def test_an_option_of_another_kind_of_target_is_refused(target: str, option: str) -> None:
    with pytest.raises(UserError, match=f"--{option.replace('_', '-')} belongs to a target"):
        open_session(target, "litert", **{option: "x"})
