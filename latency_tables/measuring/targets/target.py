"""What ``--target`` names: this machine, a host over ssh, or a phone over adb."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from latency_tables.measuring.targets.adb import AdbSession
from latency_tables.measuring.targets.local import local_session
from latency_tables.measuring.targets.session import Session
from latency_tables.measuring.targets.ssh import SshHost, SshSession
from space.errors import UserError

NAME = r"[A-Za-z0-9_][\w.-]*"  # never a leading "-", which ssh would read as an option


@dataclass(frozen=True, slots=True)
class TargetKind:
    """A way to reach a device: ``open(target, engine, cores, threads, **options)`` for targets that ``pattern`` fits.

    ``options`` are the keyword arguments of ``open_session`` that belong to it; ``example`` is shown where one is given
    with another kind of target.
    """

    form: str
    example: str
    pattern: str
    open: Callable[..., Session]
    options: tuple[str, ...] = ()


def _local(target: str, engine: str, cores: Sequence[int], threads: int) -> Session:
    return local_session(engine, cores, threads)


def _ssh(target: str, engine: str, cores: Sequence[int], threads: int, remote_python: str | None) -> Session:
    return SshSession(parse_ssh(target), engine, cores, threads, remote_python or "python3")


def _adb(
    target: str,
    engine: str,
    cores: Sequence[int],
    threads: int,
    benchmark_binary: str | Path | None,
    engine_version: str | None,
) -> Session:
    return AdbSession(target.removeprefix("adb:"), engine, benchmark_binary, threads, tuple(cores), engine_version)


TARGETS: dict[str, TargetKind] = {
    "local": TargetKind("local", "local", "local", _local),
    "ssh": TargetKind("ssh://[USER@]HOST[:PORT]", "ssh://HOST", r"(?s:ssh://.*)", _ssh, ("remote_python",)),
    "adb": TargetKind(
        "adb:SERIAL", "adb:SERIAL", r"adb:[A-Za-z0-9][\w.:-]*", _adb, ("benchmark_binary", "engine_version")
    ),
}
FORMS = " or ".join(", ".join(kind.form for kind in TARGETS.values()).rsplit(", ", 1))


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
    options = {"remote_python": remote_python, "benchmark_binary": benchmark_binary, "engine_version": engine_version}
    chosen = next((kind for kind in TARGETS.values() if re.fullmatch(kind.pattern, target)), None)
    if chosen is None:
        raise UserError(f"--target must be {FORMS}, got {target!r}")
    for kind in TARGETS.values():
        for name in kind.options:
            if options[name] is not None and kind is not chosen:
                option = f"--{name.replace('_', '-')}"
                raise UserError(f"{option} belongs to a target {kind.example}, got target {target!r}; leave it away")
    return chosen.open(target, engine, cores, threads, **{name: options[name] for name in chosen.options})


def parse_ssh(target: str) -> SshHost:
    """The host that ``ssh://[USER@]HOST[:PORT]`` names."""
    found = re.fullmatch(rf"ssh://(?:({NAME})@)?(?:({NAME})|\[([0-9a-fA-F:.]+)\])(?::(\d{{1,5}}))?/?", target)
    if not found or not 0 < int(found[4] or 22) < 2**16:
        raise UserError(f"--target must be {FORMS}, got {target!r}")
    return SshHost(found[2] or found[3], found[1], int(found[4]) if found[4] else None)
