"""What ``--target`` names: this machine, a host over ssh, or a phone over adb."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from latency_tables.measuring.targets.adb import AdbSession
from latency_tables.measuring.targets.local import local_session
from latency_tables.measuring.targets.session import Session
from latency_tables.measuring.targets.ssh import SshHost, SshSession
from space.errors import UserError

FORMS = "local, ssh://[USER@]HOST[:PORT] or adb:SERIAL"
NAME = r"[A-Za-z0-9_][\w.-]*"  # never a leading "-", which ssh would read as an option


def open_session(
    target: str,
    engine: str,
    cores: Sequence[int] = (),
    threads: int = 1,
    *,
    remote_python: str | None = None,
    benchmark_binary: str | Path | None = None,
    engine_version: str | None = None,
) -> Session:
    """A session with the device that ``target`` names; it connects on first use.

    ``remote_python`` is the command that starts Python on a host over ssh ("python3"); ``benchmark_binary`` is the
    engine's program for a phone over adb, and ``engine_version`` its version, which the program does not report.

    Raises:
        UserError: ``target`` has no known form, or an option belongs to another form.
    """
    kind = _kind(target)
    if remote_python is not None and kind != "ssh":
        raise UserError(f"--remote-python belongs to a target ssh://HOST, got target {target!r}; leave it away")
    for option, value in (("--benchmark-binary", benchmark_binary), ("--engine-version", engine_version)):
        if value is not None and kind != "adb":
            raise UserError(f"{option} belongs to a target adb:SERIAL, got target {target!r}; leave it away")
    if kind == "ssh":
        return SshSession(parse_ssh(target), engine, cores, threads, remote_python or "python3")
    if kind == "adb":
        return AdbSession(target.removeprefix("adb:"), engine, benchmark_binary, threads, tuple(cores), engine_version)
    return local_session(engine, cores, threads)


def parse_ssh(target: str) -> SshHost:
    """The host that ``ssh://[USER@]HOST[:PORT]`` names."""
    found = re.fullmatch(rf"ssh://(?:({NAME})@)?(?:({NAME})|\[([0-9a-fA-F:.]+)\])(?::(\d{{1,5}}))?/?", target)
    if not found or not 0 < int(found[4] or 22) < 2**16:
        raise UserError(f"--target must be {FORMS}, got {target!r}")
    return SshHost(found[2] or found[3], found[1], int(found[4]) if found[4] else None)


def _kind(target: str) -> str:
    if target == "local":
        return "local"
    if target.startswith("ssh://"):
        return "ssh"
    if re.fullmatch(r"adb:[A-Za-z0-9][\w.:-]*", target):
        return "adb"
    raise UserError(f"--target must be {FORMS}, got {target!r}")
