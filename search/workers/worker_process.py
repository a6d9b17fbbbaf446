"""The main program of a worker process: jobs in, progress and answers out, until its pipe closes.

Started by ``search.workers.processes``. Whatever it prints goes to the run's log.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.workers.protocol import Runner

PROGRESS_EVERY_S = 0.5
ALONE_S = 60.0  # to save its work when the search is gone; one that hangs would stay for ever
DECIDED_BY_THE_SEARCH = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # they reach the whole group of processes


@dataclass(frozen=True)
class Alive:
    """A sign of life between other messages."""


@dataclass(frozen=True)
class Ready:
    """The process has loaded what it needs for jobs."""


@dataclass(frozen=True)
class Broken:
    """The process could not be made ready for any job."""

    reason: str
    trace: str


class _Line:
    """The worker's end of its two pipes."""

    def __init__(self, jobs: Connection, stop: Connection) -> None:
        self._jobs, self._stop = jobs, stop
        self._told = self._gone = False
        self._last_sent = self._last_progress = -PROGRESS_EVERY_S

    def receive(self) -> Any:
        return self._jobs.recv()

    def send(self, message: Any) -> None:
        """Never raises: if the search is gone, ``should_stop`` says so next time."""
        try:
            self._jobs.send(message)
        except OSError:
            self._gone = True
        self._last_sent = time.monotonic()

    def on_progress(self, progress: Any) -> None:
        if progress.psnr_db is not None or time.monotonic() - self._last_progress > PROGRESS_EVERY_S:
            self.send(progress)
            self._last_progress = self._last_sent

    def should_stop(self) -> bool:
        """Whether the search asked for it or is gone; each call is a sign of life."""
        if not self._told and self._stop.poll():  # a message, or the end of the pipe
            self._told = True
        if time.monotonic() - self._last_sent > PROGRESS_EVERY_S:
            self.send(Alive())
        return self._told or self._gone

    @property
    def is_gone(self) -> bool:
        return self._gone


def main(jobs_handle: int, stop_handle: int) -> None:
    """Run jobs from the pipe ``jobs_handle`` until it closes; a message in ``stop_handle`` ends the current one."""
    for number in DECIDED_BY_THE_SEARCH:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, DECIDED_BY_THE_SEARCH)
    threading.Thread(target=_end_alone, args=(os.getppid(),), daemon=True).start()
    line = _Line(Connection(jobs_handle), Connection(stop_handle, writable=False))
    try:
        runner = _runner(line)
        if runner is not None:
            line.send(Ready())
            _work(line, runner)
    except (EOFError, OSError):
        pass  # the search closed the pipe, or is gone
    except BaseException:
        traceback.print_exc()  # to the log
        os._exit(1)


def _end_alone(parent: int, look_every_s: float = 2.0) -> None:
    """End this process ``ALONE_S`` after its parent has ended, whatever it is doing."""
    while os.getppid() == parent:
        time.sleep(look_every_s)
    time.sleep(ALONE_S)
    os._exit(1)


def _runner(line: _Line) -> Runner | None:
    """The runner of the jobs; None if it cannot be made, with the reason sent."""
    try:
        make_runner, threads = line.receive()
        import torch

        torch.set_num_threads(threads)
        return make_runner()
    except EOFError:
        return None
    except BaseException as error:
        text = str(error).strip().partition("\n")[0]
        line.send(Broken(f"{type(error).__name__}{': ' * bool(text)}{text}", traceback.format_exc()))
        return None


def _work(line: _Line, runner: Runner) -> None:
    from search.workers.failures import answered
    from search.workers.messages import Failed, Stopped

    while not line.is_gone:
        job = line.receive()
        if line.should_stop():
            line.send(Stopped(job.number))
            continue
        answer = answered(job.number, partial(runner.run, job, line.on_progress, line.should_stop))
        line.send(answer)
        if isinstance(answer, Failed) and "CUDA" in answer.reason:
            sys.exit(0)  # after an error a CUDA context gives nothing but errors; a new process has a new one
