"""Workers that do their jobs in the test's own process."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from search.workers.failures import answered
from search.workers.messages import Answer, Job, Progress, Stopped
from search.workers.protocol import Runner


class InProcessWorkers:
    """One job at a time, with a runner of ``make_runner``; ``stop`` is heard before each step.

    It takes what ``ProcessWorkers`` takes, so that a test can put it there.
    """

    def __init__(
        self, count: int, make_runner: Callable[[], Runner], threads: int = 1, log: Path | None = None
    ) -> None:
        self._runner, self._jobs, self._is_stopped = make_runner(), list[Job](), False

    def idle(self) -> int:
        return 1 - len(self._jobs)

    def submit(self, job: Job) -> None:
        assert self.idle()
        self._jobs.append(job)

    def poll(self, timeout_s: float) -> list[Answer | Progress]:
        if not self._jobs:
            return []
        job, told = self._jobs.pop(), list[Answer | Progress]()
        if self._is_stopped:
            return [Stopped(job.number)]
        told.append(answered(job.number, partial(self._runner.run, job, told.append, lambda: self._is_stopped)))
        return told

    def stop(self) -> None:
        self._is_stopped = True

    def close(self) -> None:
        self._jobs.clear()
