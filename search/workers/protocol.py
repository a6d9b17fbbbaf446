"""Who hands out jobs and who does them: the two sides that every kind of worker joins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from search.workers.messages import Answer, Job, Progress, Result, Stopped


class Workers(Protocol):
    """Does jobs, each of which gets exactly one answer; whatever goes wrong with one is its answer."""

    def idle(self) -> int:
        """How many jobs could be begun now."""
        ...

    def submit(self, job: Job) -> None:
        """Begin ``job``; only while somebody is idle."""
        ...

    def poll(self, timeout_s: float) -> list[Answer | Progress]:
        """What was said, waiting at most ``timeout_s`` for the first."""
        ...

    def stop(self) -> None:
        """Ask for the end of all jobs, with checkpoints; their answers still come."""
        ...

    def close(self) -> None:
        """End all, whatever they do."""
        ...


class Runner(Protocol):
    """Does the jobs of one worker, one after another, with data that it loads once."""

    def run(
        self, job: Job, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
    ) -> Result | Stopped:
        """Do ``job``; may raise anything.

        ``should_stop`` is asked before every step and every picture: each question is a sign of life.
        """
        ...
