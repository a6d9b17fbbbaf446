"""Ctrl-C and termination: the first one asks to stop with everything saved, the second one stops at once."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from search.workers.one_process import kill_all

LEFT_S = 8.0  # after the second one, until the process ends whatever it is doing


@contextmanager
def noted_interrupts(owns_process: bool = True) -> Iterator[Callable[[], bool]]:
    """Inside, SIGINT is noted, and SIGTERM too in a process of our own; gives the question whether one has come.

    Only the main thread of a process gets signals: in another nothing is noted.

    Raises:
        KeyboardInterrupt: at the second one. Should a process of our own not end by it, it is ended ``LEFT_S`` later.
    """
    interrupts: list[int] = []
    timer = threading.Timer(LEFT_S, _end_at_once)
    timer.daemon = True

    def on_signal(number: int, _frame: object) -> None:
        interrupts.append(number)
        if len(interrupts) == 2:
            if owns_process:
                timer.start()
            raise KeyboardInterrupt

    numbers = [signal.SIGINT, signal.SIGTERM] if owns_process else [signal.SIGINT]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    previous = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield lambda: bool(interrupts)
    finally:
        timer.cancel()
        for number, handler in previous.items():
            signal.signal(number, handler or signal.SIG_DFL)


def _end_at_once() -> None:
    """Of a program that hangs in a call which no exception leaves."""
    kill_all()
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), b"\x1b[?25h\n")  # the live panel hides the cursor
    os._exit(130)
