"""Worker processes that train. The search itself never does, so a crash costs one job and no result."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol

from search.jobs import Answer, Failed, Progress, Stopped, TimingJob

PROGRESS_EVERY_S = 0.5
ATTEMPTS = 2  # a worker that dies is replaced, and its job tried once more


class Workers(Protocol):
    """What the search needs of whoever does its jobs."""

    def idle(self) -> int: ...
    def submit(self, job: Any) -> None: ...
    def poll(self, timeout_s: float) -> list[Answer | Progress]: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


class Runner(Protocol):
    """Does one process's jobs; each has a number ``trial``, but for a ``TimingJob``."""

    def run(self, job: Any, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Answer: ...


class ProcessWorkers:
    """``count`` processes of ``threads`` threads, each doing one job at a time with a runner of ``make_runner``."""

    def __init__(self, count: int, make_runner: Callable[[], Runner], threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._new_worker = lambda: _Worker(context, make_runner, threads)
        self._workers = [self._new_worker() for _ in range(count)]

    def idle(self) -> int:
        return sum(worker.job is None for worker in self._workers)

    @property
    def is_busy(self) -> bool:
        return any(worker.job is not None for worker in self._workers)

    def submit(self, job: Any) -> None:
        next(worker for worker in self._workers if worker.job is None).give(job)

    def poll(self, timeout_s: float) -> list[Answer | Progress]:
        """Messages that came in, waiting at most ``timeout_s`` for the first."""
        messages: list[Answer | Progress] = []
        waiting = {worker.pipe: worker for worker in self._workers if worker.job is not None}
        for pipe in wait(list(waiting), timeout_s):
            worker = waiting[pipe]
            try:
                message = pipe.recv()
            except (EOFError, OSError):
                messages += self._replace(worker)
                continue
            if not isinstance(message, Progress):
                worker.job = None
            messages.append(message)
        return messages

    def _replace(self, dead: _Worker) -> list[Answer]:
        """Start a new process in place of one that died, and give it the job once more."""
        job, attempts = dead.job, dead.attempts
        dead.process.join()
        worker = self._new_worker()
        self._workers[self._workers.index(dead)] = worker
        if attempts < ATTEMPTS:
            worker.give(job, attempts + 1)
            return []
        if isinstance(job, TimingJob):
            raise RuntimeError(f"training processes die at once (exit code {dead.process.exitcode})")
        return [
            Failed(
                job.trial,
                f"the training process died {ATTEMPTS} times (exit code {dead.process.exitcode}); out of memory?",
            )
        ]

    def stop(self) -> None:
        """Ask all to stop their jobs with a checkpoint; their answers still come."""
        for worker in self._workers:
            worker.stop_event.set()

    def close(self) -> None:
        for worker in self._workers:
            worker.pipe.close()
        for worker in self._workers:
            worker.process.join(timeout=5)
            if worker.process.is_alive():
                worker.process.kill()


class _Worker:
    def __init__(
        self, context: multiprocessing.context.SpawnContext, make_runner: Callable[[], Runner], threads: int
    ) -> None:
        self.pipe, theirs = context.Pipe()
        self.stop_event = context.Event()
        arguments = (theirs, self.stop_event, make_runner, threads, os.getpid())
        self.process = context.Process(target=_work, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.job: Any = None
        self.attempts = 0

    def give(self, job: Any, attempts: int = 1) -> None:
        self.job, self.attempts = job, attempts
        try:
            self.pipe.send(job)
        except OSError:
            pass  # it died idle; poll will find the pipe closed


def _work(
    pipe: Connection,
    stop_event: multiprocessing.synchronize.Event,
    make_runner: Callable[[], Runner],
    threads: int,
    parent: int,
) -> None:
    """A worker's life: jobs in, progress and answers out, until the pipe closes or the search is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the search decides
    import torch

    torch.set_num_threads(threads)
    runner = make_runner()
    last_sent = 0.0

    def on_progress(progress: Progress) -> None:
        nonlocal last_sent
        if time.monotonic() - last_sent > PROGRESS_EVERY_S:
            last_sent = time.monotonic()
            pipe.send(progress)

    def should_stop() -> bool:
        return stop_event.is_set() or os.getppid() != parent

    try:
        while True:
            job = pipe.recv()
            if isinstance(job, TimingJob):
                pipe.send(runner.time(job))
            else:
                pipe.send(Stopped(job.trial) if should_stop() else runner.run(job, on_progress, should_stop))
    except (EOFError, OSError):
        return
