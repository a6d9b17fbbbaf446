"""A worker process as its parent sees it: started, given jobs, told to stop, ended."""

from __future__ import annotations

import json
import signal
import socket
import struct
import subprocess
import sys
import weakref
from collections.abc import Callable
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any

from search.workers.messages import Job
from search.workers.protocol import Runner
from search.workers.watchdog import Patience, Watchdog
from search.workers.worker_process import DECIDED_BY_THE_SEARCH

MESSAGE_S = 10  # what a message may take; a process stopped amid one must not block the search
BOOTSTRAP = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from search.workers.worker_process import main; main(int(sys.argv[2]), int(sys.argv[3]))"
)

_processes: weakref.WeakSet[subprocess.Popen[bytes]] = weakref.WeakSet()


class WorkerProcess:
    """A process and the parent's ends of its pipes; ``job`` is its current job, None while it is idle."""

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
        self.job: Job | None = None
        self.attempts = 0
        self._send((make_runner, threads))

    @property
    def begun_job(self) -> Job:
        """The job of a worker that is not idle."""
        assert self.job is not None
        return self.job

    def give(self, job: Job, attempts: int = 1) -> None:
        """Send it ``job``, for the ``attempts``-th time."""
        self.job, self.attempts = job, attempts
        self.watchdog.restart()
        self._send(job)

    def tell_to_stop(self) -> None:
        """Ask it to end its job with a checkpoint."""
        try:
            self._stop.send_bytes(b"stop")
        except OSError:
            pass  # it died; poll finds the pipe closed

    def hang_up(self) -> None:
        """Close the pipes; an idle process then ends by itself."""
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


def kill_all() -> None:
    """Kill every worker of this process at once."""
    for process in list(_processes):
        process.kill()


def _start(jobs: int, stop: int, log: Path | None) -> subprocess.Popen[bytes]:
    """A new Python process that inherits nothing but its ends of the pipes.

    Signals to the group are blocked while it starts, so that Ctrl-C cannot end it before it ignores them.
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
