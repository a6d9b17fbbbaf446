"""The interfaces of a pool of workers, and of what a worker runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from search.workers.messages import Answer, Job, Progress, Result, Stopped


class Workers(Protocol):
    """A pool that runs jobs; each gets exactly one answer, which also tells what went wrong."""

    def idle(self) -> int:
        """How many jobs can begin now."""
        ...

    def submit(self, job: Job) -> None:
        """Begin ``job``; requires an idle worker."""
        ...

    def poll(self, timeout_s: float) -> list[Answer | Progress]:
        """Messages received, waiting at most ``timeout_s`` seconds for the first."""
        ...

    def stop(self) -> None:
        """Ask all jobs to end with a checkpoint; their answers still come."""
        ...

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        ...


class Runner(Protocol):
    """Runs the jobs of one worker, one after another, with data that it loads once."""

    def run(
        self, job: Job, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
    ) -> Result | Stopped:
        """Run ``job``; may raise anything.

        It calls ``should_stop`` before every step and every picture; each call is a sign of life.
        """
        ...
