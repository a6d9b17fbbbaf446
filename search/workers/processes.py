"""Worker processes that train. The search itself never does, so a crash costs one job and no result.

A worker that dies, or hangs, is replaced and its job tried once more. Nothing of a worker reaches the terminal: its
messages come through a pipe, and what it prints goes to the run's log.
"""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any, Protocol

from search.workers.failures import death, machine_death
from search.jobs import Answer, Failed, MachineTrouble, Progress, Stopped
from search.workers.watchdog import Patience, Watchdog
from search.workers.worker_process import DECIDED_BY_THE_SEARCH, Alive, Broken, Ready
from space.logs import LOGGER

ATTEMPTS = 2  # a worker that dies is replaced, and its job tried once more
MESSAGE_S = 10  # what a message may take; a process stopped amid one must not block the search
LOOK_EVERY_S = 0.25
BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from search.workers.worker_process import main; main(int(sys.argv[2]), int(sys.argv[3]))"
)

_processes: weakref.WeakSet[subprocess.Popen] = weakref.WeakSet()


class Workers(Protocol):
    """What the search needs of whoever does its jobs."""

    def idle(self) -> int: ...
    def submit(self, job: Any) -> None: ...
    def poll(self, timeout_s: float) -> list[Answer | Progress]: ...
    def stop(self) -> None: ...
    def close(self) -> None: ...


class Runner(Protocol):
    """Does one process's jobs; each has a number ``trial``.

    It asks ``should_stop`` before every step and every picture: each question is a sign of life.
    """

    def run(self, job: Any, on_progress: Callable[[Progress], None], should_stop: Callable[[], bool]) -> Answer: ...


class ProcessWorkers:
    """``count`` processes of ``threads`` threads, each doing one job at a time with a runner of ``make_runner``.

    ``log`` is the file that gets what they print.
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
        self._new_worker = lambda: _Worker(make_runner, threads, log, self._patience)
        self._workers: list[_Worker] = []
        self._stopping_since: float | None = None
        try:
            for _ in range(count):
                self._workers.append(self._new_worker())
        except BaseException:
            self.close()
            raise

    def idle(self) -> int:
        return sum(worker.job is None for worker in self._workers)

    @property
    def is_busy(self) -> bool:
        return any(worker.job is not None for worker in self._workers)

    def submit(self, job: Any) -> None:
        worker = next(worker for worker in self._workers if worker.job is None)
        if worker.process.poll() is not None:
            worker = self._replaced(worker)  # it died idle, which is no attempt at this job
        worker.give(job)

    def poll(self, timeout_s: float) -> list[Answer | Progress]:
        """Messages that came in, waiting at most ``timeout_s`` for the first."""
        messages: list[Answer | Progress] = []
        waiting = {worker.pipe: worker for worker in self._workers if worker.job is not None}
        for pipe in wait(list(waiting), timeout_s):
            worker = waiting[pipe]
            try:
                message = pipe.recv()
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
        for worker in [worker for worker in waiting.values() if worker in self._workers and worker.job is not None]:
            hung = worker.watchdog.look(max(2 * timeout_s, LOOK_EVERY_S))
            if hung is not None:
                messages += self._ended(worker, hung)
            elif self._has_had_its_time(worker):
                messages += self._ended(worker, "did not stop when it was told to")
        return messages

    def _has_had_its_time(self, worker: _Worker) -> bool:
        """Whether it was told to stop long ago: what it did since its last checkpoint is then given up."""
        allowed_s = max(self._patience.stop_s, 2 * worker.watchdog.longest_s)
        return self._stopping_since is not None and time.monotonic() - self._stopping_since > allowed_s

    def _ended(self, worker: _Worker, hung: str | None) -> list[Answer]:
        """One that died, or is ended because it ``hung``: what becomes of its job."""
        job, attempts = worker.job, worker.attempts
        exit_code = worker.end()
        how = f"it {hung}" if hung else death(exit_code)
        LOGGER.warning("worker %d ended at attempt %d of trial %d: %s", worker.process.pid, attempts, job.trial, how)
        if self._stopping_since is not None:
            worker.job = None  # none is begun once all were told to stop
            return [Stopped(job.trial)]
        if attempts < ATTEMPTS:
            self._replaced(worker).give(job, attempts + 1)
            return []
        worker.job = None  # it is replaced when there is a job again
        trouble = None if hung else machine_death(exit_code)
        if trouble:
            return [MachineTrouble(job.trial, trouble)]
        what = f"{hung} {ATTEMPTS} times and was ended" if hung else f"died {ATTEMPTS} times ({how})"
        return [Failed(job.trial, f"the training process {what}")]

    def _broken(self, worker: _Worker, message: Broken) -> list[Answer]:
        job, worker.job = worker.job, None
        worker.end()
        return [MachineTrouble(job.trial, f"a training process could not start: {message.reason}", message.trace)]

    def _replaced(self, dead: _Worker) -> _Worker:
        worker = self._new_worker()
        self._workers[self._workers.index(dead)] = worker
        dead.end()
        return worker

    def stop(self) -> None:
        """Ask all to stop with a checkpoint; their answers still come, ``Stopped`` of those that give none."""
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()
            for worker in self._workers:
                worker.tell_to_stop()

    def close(self) -> None:
        """End all; the idle ones end by themselves, and what is left after ``Patience.close_s`` is killed."""
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


def kill_all() -> None:
    """End every worker of this process at once, whatever it does."""
    for process in list(_processes):
        process.kill()


class _Worker:
    def __init__(self, make_runner: Callable[[], Runner], threads: int, log: Path | None, patience: Patience) -> None:
        ours, theirs = socket.socketpair()
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            ours.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", MESSAGE_S, 0))
        self.pipe = Connection(ours.detach())
        stop, self._stop = Pipe(duplex=False)
        try:
            with theirs, stop:
                self.process = _start(theirs.fileno(), stop.fileno(), log)
        except BaseException:
            self.hang_up()
            raise
        self.watchdog = Watchdog(self.process.pid, patience)
        self.job: Any = None
        self.attempts = 0
        self._send((make_runner, threads))

    def give(self, job: Any, attempts: int = 1) -> None:
        self.job, self.attempts = job, attempts
        self.watchdog.restart()
        self._send(job)

    def tell_to_stop(self) -> None:
        try:
            self._stop.send_bytes(b"stop")
        except OSError:
            pass  # it died; poll finds the pipe closed

    def hang_up(self) -> None:
        self.pipe.close()
        self._stop.close()

    def end(self) -> int:
        """Kill it if it lives, and return its exit code."""
        self.hang_up()
        try:
            return self.process.wait(0.2)  # its pipe closes a little before it has ended
        except subprocess.TimeoutExpired:
            self.process.kill()
        try:
            return self.process.wait(2)
        except subprocess.TimeoutExpired:
            return -signal.SIGKILL  # it waits for a disk, where not even this reaches it

    def _send(self, message: Any) -> None:
        try:
            self.pipe.send(message)
        except OSError:
            pass  # it died; poll finds the pipe closed


def _start(jobs: int, stop: int, log: Path | None) -> subprocess.Popen:
    """A Python without anything of this process but the ends of its pipes.

    Signals of the group are blocked while it starts, so that Ctrl-C cannot end it before it can ignore them.
    """
    paths = json.dumps([path for path in sys.path if isinstance(path, str)])
    command = [sys.executable, "-P", "-c", BOOTSTRAP, paths, str(jobs), str(stop)]
    try:
        output = open(log, "ab") if log else None  # noqa: SIM115 (closed below)
    except OSError:
        output = None  # what it prints is lost, and nothing else
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, DECIDED_BY_THE_SEARCH)
    try:
        process = subprocess.Popen(
            command,
            pass_fds=(jobs, stop),
            stdin=subprocess.DEVNULL,
            stdout=output or subprocess.DEVNULL,
            stderr=output or subprocess.DEVNULL,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if output:
            output.close()
    _processes.add(process)
    return process
