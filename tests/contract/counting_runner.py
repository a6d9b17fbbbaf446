"""A runner that counts instead of training: importable, so that a worker process can make it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from search.workers.messages import Job, Progress, Result, Stopped


@dataclass(frozen=True, kw_only=True)
class CountJob(Job):
    """Count to ``to``, unless told to stop; then read ``reads``, or raise."""

    to: int
    raises: bool = False
    reads: Path | None = None


class CountingRunner:
    def run(
        self, job: Job, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]
    ) -> Result | Stopped:
        assert isinstance(job, CountJob)
        for step in range(1, job.to + 1):
            if should_stop():
                return Stopped(job.number)
            on_progress(Progress(job.number, step, job.to, 0.0))
        if job.reads is not None:
            job.reads.read_bytes()
        if job.raises:
            raise ValueError(f"at {job.to}")
        return Result(job.number)
