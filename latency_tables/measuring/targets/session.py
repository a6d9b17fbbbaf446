"""The interface of a device for the harness, however it is connected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from space.errors import UserError


@dataclass(frozen=True)
class Job:
    """Time one model: ``warmup`` runs unmeasured, then ``repeats`` runs, or fewer once ``budget_s`` is used up."""

    name: str
    model: bytes
    threads: int
    cores: tuple[int, ...]  # pinned to these; empty leaves it to the system
    warmup: int = 2
    repeats: int = 10
    budget_s: float = 2.0


@dataclass(frozen=True)
class Timing:
    """Latency of each measured run in milliseconds, in order, with what the device said of itself meanwhile.

    ``busy_ms`` is the processor time of each run, all threads together, where the target tells it: a run on one thread
    that took longer was interrupted by something else.
    """

    name: str
    runs_ms: tuple[float, ...]
    busy_ms: tuple[float, ...] = ()
    clock_mhz: float | None = None
    temperature_c: float | None = None


@dataclass(frozen=True)
class Device:
    """What is measured: two results belong in one table only if ``identity`` is equal.

    ``identity`` holds host or serial number, CPU model, core set, threads, engine and version; ``state`` what may
    change: governor, clock, temperature, load.
    """

    identity: dict[str, Any]
    state: dict[str, Any] = field(default_factory=dict)


class ModelFailedError(Exception):
    """The engine refused the model or crashed on it; the device still works."""


class ConnectionLostError(UserError):
    """The device cannot be reached or sends invalid answers; the message says which device and why."""


class Session(Protocol):
    """An open line to one device with one engine."""

    def describe(self) -> Device: ...

    def time(self, job: Job) -> Timing:
        """Raises: ModelFailedError, ConnectionLostError."""

    def close(self) -> None: ...
