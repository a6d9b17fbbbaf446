"""Runners that misbehave in one way each, for processes of their own: importable, so that a worker can make them."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from search.workers.messages import Job, Progress, Stopped
from space.errors import UserError


class TextlessError(Exception):
    """An exception without a text."""


@dataclass(frozen=True, kw_only=True)
class FakeJob(Job):
    """``does`` names a behaviour of ``FakeRunner``; with ``mark``, a file, it is only the first time like that."""

    does: str
    mark: Path | None = None


class FakeRunner:
    def run(self, job: FakeJob, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Stopped:
        if job.mark is not None:
            if job.mark.exists():
                return Stopped(job.number, 1.0)
            job.mark.touch()
        word, _, value = job.does.partition(" ")
        if word == "signal":
            os.kill(os.getpid(), signal.Signals[value])
        elif word == "exit":
            os._exit(int(value))
        elif word == "sleep":
            time.sleep(1e6)
        elif word == "spin":
            while True:
                pass
        elif word == "deaf":  # works on, and does not stop
            while True:
                should_stop()
                time.sleep(0.01)
        elif word == "train":
            while not should_stop():
                on_progress(Progress(job.number, 1, 2, 0.5))
                time.sleep(0.01)
        elif word == "print":
            print("to standard output", flush=True)
            print("to standard error", file=sys.stderr, flush=True)
        elif word == "raise":
            raise {"memory": MemoryError(), "textless": TextlessError(), "lines": ValueError("first\nsecond")}[value]
        return Stopped(job.number, 1.0)


def make_unusable() -> FakeRunner:
    raise UserError("a pool must be whole, got half of one")
