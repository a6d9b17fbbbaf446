"""Worker processes that train. The search never trains in its own process, so a crash costs one job and no result.

A worker that dies or hangs is replaced, and its job is tried once more. Its messages come through a pipe, and what it
prints goes to the run's log, never to the terminal.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import Any

from search.workers.failures import death, machine_death
from search.workers.messages import Answer, Failed, Job, MachineTrouble, Progress, Stopped
from search.workers.one_process import WorkerProcess
from search.workers.protocol import Runner
from search.workers.watchdog import Patience
from search.workers.worker_process import Alive, Broken, Ready
from space.logs import LOGGER

ATTEMPTS = 2  # a worker that dies is replaced, and its job tried once more
LOOK_EVERY_S = 0.25


class ProcessWorkers:
    """``count`` processes of ``threads`` threads, each running one job at a time with a runner from ``make_runner``.

    ``log`` receives what they print.
    """

    def __init__(
        self,
        count: int,
        make_runner: Callable[[], Runner],
        threads: int,
        log: Path | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._patience = patience or Patience()
        self._new_worker = partial(WorkerProcess, make_runner, threads, log, self._patience)
        self._workers: list[WorkerProcess] = []
        self._stopping_since: float | None = None
        try:
            for _ in range(count):
                self._workers.append(self._new_worker())
        except BaseException:
            self.close()
            raise

    def idle(self) -> int:
        return sum(worker.job is None for worker in self._workers)

    def submit(self, job: Job) -> None:
        worker = next(worker for worker in self._workers if worker.job is None)
        if worker.process.poll() is not None:
            worker = self._replaced(worker)  # it died idle, which is no attempt at this job
        worker.give(job)

    def poll(self, timeout_s: float) -> list[Answer | Progress]:
        """Messages received, waiting at most ``timeout_s`` seconds for the first."""
        messages: list[Answer | Progress] = []
        waiting = [worker for worker in self._workers if worker.job is not None]
        ready = wait([worker.pipe for worker in waiting], timeout_s)
        for worker in [worker for worker in waiting if worker.pipe in ready]:
            try:
                message: Any = worker.pipe.recv()
            except Exception as error:  # the pipe's end, a message cut off, one that stopped half way
                if not isinstance(error, EOFError):
                    LOGGER.warning("worker %d sent no whole message: %r", worker.process.pid, error)
                messages += self._ended(worker, None)
                continue
            worker.watchdog.heard()
            if isinstance(message, Ready):
                worker.watchdog.restart(is_ready=True)
            elif isinstance(message, Broken):
                messages += self._broken(worker, message)
            elif isinstance(message, Progress):
                messages.append(message)
            elif not isinstance(message, Alive):
                worker.job = None
                messages.append(message)
        for worker in [worker for worker in waiting if worker in self._workers and worker.job is not None]:
            hung = worker.watchdog.look(max(2 * timeout_s, LOOK_EVERY_S))
            if hung is not None:
                messages += self._ended(worker, hung)
            elif self._has_had_its_time(worker):
                messages += self._ended(worker, "did not stop when it was told to")
        return messages

    def _has_had_its_time(self, worker: WorkerProcess) -> bool:
        """Whether it was told to stop long ago; its work since the last checkpoint is then given up."""
        allowed_s = max(self._patience.stop_s, 2 * worker.watchdog.longest_s)
        return self._stopping_since is not None and time.monotonic() - self._stopping_since > allowed_s

    def _ended(self, worker: WorkerProcess, hung: str | None) -> list[Answer]:
        """What becomes of the job of a worker that died, or that is ended because it ``hung``."""
        job, attempts = worker.begun_job, worker.attempts
        exit_code = worker.end()
        how = f"it {hung}" if hung else death(exit_code)
        LOGGER.warning("worker %d ended at attempt %d of job %d: %s", worker.process.pid, attempts, job.number, how)
        if self._stopping_since is not None:
            worker.job = None  # none is begun once all were told to stop
            return [Stopped(job.number)]
        if attempts < ATTEMPTS:
            self._replaced(worker).give(job, attempts + 1)
            return []
        worker.job = None  # it is replaced when there is a job again
        trouble = None if hung else machine_death(exit_code)
        if trouble:
            return [MachineTrouble(job.number, trouble)]
        what = f"{hung} {ATTEMPTS} times and was ended" if hung else f"died {ATTEMPTS} times ({how})"
        return [Failed(job.number, f"the training process {what}")]

    def _broken(self, worker: WorkerProcess, message: Broken) -> list[Answer]:
        job, worker.job = worker.begun_job, None
        worker.end()
        return [MachineTrouble(job.number, f"a training process could not start: {message.reason}", message.trace)]

    def _replaced(self, dead: WorkerProcess) -> WorkerProcess:
        worker = self._new_worker()
        self._workers[self._workers.index(dead)] = worker
        dead.end()
        return worker

    def stop(self) -> None:
        """Ask all to stop with a checkpoint; every job still gets its answer, ``Stopped`` if the worker gives none."""
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()
            for worker in self._workers:
                worker.tell_to_stop()

    def close(self) -> None:
        """End all; idle ones end by themselves, the rest is killed after ``Patience.close_s``."""
        for worker in self._workers:
            worker.hang_up()
        end = time.monotonic() + self._patience.close_s
        for worker in self._workers:
            try:
                worker.process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
        for worker in self._workers:
            worker.end()
