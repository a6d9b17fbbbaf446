"""Raw timings in a JSON-lines file, written as they come, so that no measurement is lost or repeated."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, TextIO

from latency_tables.measuring.targets.session import Device, Timing
from latency_tables.tables.relatives import Z90
from space.errors import UserError

REFERENCE = "reference"  # the key of the operator that is timed again and again
DRIFT_LIMIT = 0.03  # a round whose reference is farther off is corrected by it
LEAST_ERROR = 0.005  # of a figure, however well its rounds agree
MAD_TO_SIGMA = 1.4826  # of a normal distribution
MEDIAN_TO_MEAN = 1.2533  # standard error of a median against that of a mean


@dataclass(frozen=True, slots=True)
class Figure:
    """The median over ``rounds`` rounds of each round's median run; half the 90 % interval of it, relative."""

    ms: float
    relative_error: float
    rounds: int


@dataclass
class RawTimings:
    """What the file holds: its header, the median run of each key and round, and the keys that failed."""

    path: Path
    header: dict[str, Any]
    file: TextIO  # held open: no second process may write
    rounds: dict[str, dict[int, float]] = field(default_factory=dict)
    references: dict[int, list[float]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    interrupted: list[bool] = field(default_factory=list)
    clocks_mhz: list[float] = field(default_factory=list)
    temperatures_c: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @classmethod
    def open(cls, path: Path, device: Device, about: Mapping[str, Any], reference: str) -> RawTimings:
        """Continue the file, or begin it with what is measured and ``about`` (task, input, protocol).

        ``reference`` is the key of the operator that is timed again and again, if the file is new: the drift of a
        continued one can be told only by the operator that it was begun with (``RawTimings.reference``).

        Raises:
            UserError: the file is of another device, engine, core set or question.
        """
        wanted = json.loads(json.dumps({"identity": device.identity, "about": dict(about)}))
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a", encoding="utf-8")
        try:
            _claim(file, path)
            if not path.stat().st_size:
                begun = time.strftime("%Y-%m-%dT%H:%M:%S%z")
                header = {**wanted, "reference": reference, "state": device.state, "begun": begun}
                timings = cls(path, header, file)
                timings._write(timings.header)
                return timings
            header, *records = _whole_lines(path)
            for name, value in wanted.items():
                _require_equal(path, name, header.get(name, {}), value)
        except UserError:
            file.close()
            raise
        timings = cls(path, {"reference": reference, **header}, file)
        for record in records:
            timings._take(record)
        return timings

    @property
    def reference(self) -> str:
        """The key of the operator that is timed again and again."""
        return str(self.header["reference"])

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def add(self, key: str, number: int, timing: Timing, seconds: float) -> None:
        record = {
            "key": key,
            "round": number,
            "runs_ms": timing.runs_ms,
            "busy_ms": timing.busy_ms,
            "clock_mhz": timing.clock_mhz,
            "temperature_c": timing.temperature_c,
            "seconds": round(seconds, 3),
        }
        self._write(record)
        self._take(record)

    def fail(self, key: str, reason: str) -> None:
        record = {"key": key, "failed": reason}
        self._write(record)
        self._take(record)

    def has(self, key: str, number: int) -> bool:
        return key in self.failures or number in self.rounds.get(key, ())

    def drift(self) -> dict[int, float]:
        """The reference's median in each round, relative to that of all rounds."""
        medians = {number: median(values) for number, values in self.references.items()}
        return {number: value / median(medians.values()) - 1 for number, value in sorted(medians.items())}

    def figures(self) -> dict[str, Figure]:
        """Of every key that did not fail, corrected for drift."""
        drift = {number: value for number, value in self.drift().items() if abs(value) > DRIFT_LIMIT}
        return {
            key: figure([value / (1 + drift.get(number, 0.0)) for number, value in rounds.items()])
            for key, rounds in self.rounds.items()
            if key not in self.failures
        }

    def _take(self, record: Mapping[str, Any]) -> None:
        if "failed" in record:
            self.failures[record["key"]] = record["failed"]
            return
        runs = tuple(record["runs_ms"])
        own = own_ms(runs, tuple(record["busy_ms"]), self.header["identity"].get("threads"))
        if record["key"] == REFERENCE:
            self.references.setdefault(record["round"], []).append(median(own))
        else:
            self.rounds.setdefault(record["key"], {})[record["round"]] = median(own)
            self.interrupted += [mine < 0.98 * run for mine, run in zip(own, runs, strict=True)]
        self.seconds += record["seconds"]
        self.clocks_mhz += [record["clock_mhz"]] if record["clock_mhz"] else []
        self.temperatures_c += [record["temperature_c"]] if record["temperature_c"] else []

    def _write(self, record: Mapping[str, Any]) -> None:
        self.file.write(json.dumps(record) + "\n")
        self.file.flush()


def own_ms(runs_ms: tuple[float, ...], busy_ms: tuple[float, ...], threads: int | None) -> tuple[float, ...]:
    """Latency of each run without the time in which something else had the core.

    Known on one thread only, where the processor time of a run is its latency unless it was interrupted.
    """
    if threads != 1 or len(busy_ms) != len(runs_ms) or min(busy_ms) <= 0:
        return runs_ms
    return tuple(min(pair) for pair in zip(runs_ms, busy_ms, strict=True))


def figure(rounds_ms: Iterable[float]) -> Figure:
    """The figure of one value per round; a single round's error is not known and taken as 10 %."""
    values = list(rounds_ms)
    middle = median(values)
    if len(values) < 2:
        return Figure(middle, 0.1, len(values))
    spread = MAD_TO_SIGMA * median(abs(value - middle) for value in values) / middle
    error = Z90 * MEDIAN_TO_MEAN * spread / len(values) ** 0.5
    return Figure(middle, max(error, LEAST_ERROR), len(values))


def _claim(file: TextIO, path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # no such locks on Windows
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise UserError(f"{path} is being written by another measurement; wait for it or give another --out") from None


def _whole_lines(path: Path) -> list[dict[str, Any]]:
    """The records; a last line that was torn by a kill is cut off the file."""
    text = path.read_text("utf-8")
    whole, newline, torn = text.rpartition("\n")
    if torn:
        os.truncate(path, len((whole + newline).encode()))
    try:
        lines = [json.loads(line) for line in whole.splitlines()]
        if not lines or "identity" not in lines[0]:
            raise ValueError
    except ValueError:
        raise UserError(f"{path} must hold the timings of an earlier run, got something else; move it away") from None
    return lines


def _require_equal(path: Path, name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    different = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    if different:
        said = ", ".join(f"{key} {old.get(key)!r} before and {new.get(key)!r} now" for key in different)
        what = "one device with one engine" if name == "identity" else "one measurement"
        raise UserError(f"{path} must be of {what}, got {said}; give another --out or move it away")
