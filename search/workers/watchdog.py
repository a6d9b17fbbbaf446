"""Detects a worker that hangs, by its messages and by the processor time that it uses between them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

STARTING = 2  # messages of a job before which its network is built and the first step is made


@dataclass(frozen=True)
class Patience:
    """How long a worker may show no sign of life, in seconds.

    ``quiet_s`` is without a message and without using the processor: stopped, or waiting for what never comes.
    ``silent_s`` is without a message, however busy; where steps are known to take long, ``factor`` times the longest
    time between two messages. ``stop_s`` is what it may take to save its work after it is told to stop, and
    ``close_s`` what all workers together may take to end.
    """

    quiet_s: float = 30.0
    silent_s: float = 600.0
    start_s: float = 300.0
    factor: float = 20.0
    stop_s: float = 20.0
    close_s: float = 5.0


class Watchdog:
    """Watches one process while it does a job; ``heard`` is called with every message, ``look`` every now and then.

    ``is_ready`` is set when the process has loaded what it needs.

    Only time in which the watching process itself runs counts: Ctrl-Z stops both, and neither is to blame.
    """

    def __init__(self, pid: int, patience: Patience) -> None:
        self._pid, self._patience = pid, patience
        self.is_ready = False
        self.restart()

    def restart(self, is_ready: bool = False) -> None:
        """A new job begins, or the process is now ready for jobs."""
        self.is_ready |= is_ready
        self.longest_s = 0.0  # between two messages, after those of the start
        self._messages = 0
        self._begin()

    def heard(self) -> None:
        """A message came."""
        if self._messages >= STARTING:
            self.longest_s = max(self.longest_s, self._silent_s)
        self._messages += 1
        self._begin()

    def _begin(self) -> None:
        self._silent_s = self._quiet_s = 0.0
        self._looked = time.monotonic()
        self._cpu_s = cpu_s(self._pid)

    def look(self, at_most_s: float) -> str | None:
        """Why the process counts as hung, or None; ``at_most_s`` is how much a single look may count."""
        now, used_s = time.monotonic(), cpu_s(self._pid)
        passed_s = min(now - self._looked, at_most_s)
        self._looked = now
        self._silent_s += passed_s
        works = used_s is None or used_s != self._cpu_s
        self._quiet_s = 0.0 if works else self._quiet_s + passed_s
        self._cpu_s = used_s
        limits, known_s = self._patience, self._patience.factor * self.longest_s
        quiet_s, silent_s = (
            (max(limits.quiet_s, known_s), max(limits.silent_s, known_s)) if self.is_ready else (limits.start_s,) * 2
        )
        if self._quiet_s > quiet_s:
            return f"stood still for {self._quiet_s:.0f} s"
        if self._silent_s > silent_s:
            return f"made no progress for {self._silent_s:.0f} s"
        return None


def cpu_s(pid: int) -> float | None:
    """Processor seconds that all threads of process ``pid`` have used; None without a ``/proc``."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
