"""The training engine: hands out jobs until there are none, or the session has to end.

Searches, reproductions, queues and ablations are sources of jobs. How failures are attributed (``Verdicts``), when a
session ends and how its workers are stopped is decided here for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from search.sessions.deadline import Deadline
from search.workers.messages import Answer, Failed, Job, MachineTrouble, Progress, Result
from search.workers.protocol import Workers
from search.workers.verdicts import Verdicts

POLL_S = 0.25


class Source(Protocol):
    """Provides jobs and takes their results; a result is durable when ``took`` returns."""

    def next_job(self, unavailable: frozenset[int]) -> Job | None:
        """The job to begin now, or None; ``unavailable`` are the numbers of jobs in work or under suspicion."""
        ...

    def began(self, job: Job) -> None: ...
    def progressed(self, progress: Progress) -> None: ...
    def took(self, result: Result) -> None: ...

    def stopped(self, number: int, train_s: float) -> None:
        """The job ended early; another session continues it from its checkpoint."""
        ...

    def failed(self, failure: Failed) -> None:
        """A job failed; whether its network is the cause is not known yet."""
        ...

    def settled(self, failure: Failed) -> None:
        """A failure is now known to be the network's own."""
        ...

    def tick(self, left_s: float) -> None:
        """Several times a second; ``left_s`` is infinite where there is no limit of time."""
        ...


@dataclass
class Dispatcher:
    """One session; ``interrupted`` is asked often and ends it early."""

    workers: Workers
    deadline: Deadline
    interrupted: Callable[[], bool]
    _verdicts: Verdicts = field(default_factory=Verdicts)
    _in_work: dict[int, Job] = field(default_factory=dict)

    def run(self, source: Source) -> str | None:
        """Run the jobs of ``source`` until it has none, the time is over, or the session has to end.

        Returns:
            None, or why it had to stop early (``Verdicts.problem``: trouble of the machine).
        """
        is_stopping = False
        while True:
            if not is_stopping and (self.interrupted() or self._verdicts.problem or self.deadline.left_s <= 0):
                is_stopping = True
                self.workers.stop()
            if not is_stopping:
                self._hand_out(source)
            if not self._in_work:
                if not is_stopping:
                    self._settle(source, self._verdicts.finish())
                return self._verdicts.problem
            for message in self.workers.poll(POLL_S):
                if isinstance(message, Progress):
                    source.progressed(message)
                else:
                    self._receive(source, message)
            source.tick(self.deadline.left_s)

    def _hand_out(self, source: Source) -> None:
        while self.workers.idle():
            job = source.next_job(frozenset(self._in_work) | self._verdicts.suspects)
            if job is None:
                return
            self._in_work[job.number] = job
            self.workers.submit(replace(job, left_s=self.deadline.left_s))
            source.began(job)

    def _receive(self, source: Source, answer: Answer) -> None:
        job = self._in_work.pop(answer.number)
        if isinstance(answer, Result):
            source.took(answer)
            self._settle(source, self._verdicts.succeeded())
        elif isinstance(answer, Failed):
            source.failed(answer)
            self._settle(source, self._verdicts.failed(answer, job.network))
        elif isinstance(answer, MachineTrouble):
            self._verdicts.machine(answer)
        else:
            source.stopped(answer.number, answer.train_s)

    def _settle(self, source: Source, failures: list[Failed]) -> None:
        for failure in failures:
            source.settled(failure)
