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
def noted_interrupts() -> Iterator[Callable[[], bool]]:
    """Inside, SIGINT and SIGTERM are noted; gives the question whether one has come.

    Raises:
        KeyboardInterrupt: at the second one. Should the program not end by it, it is ended ``LEFT_S`` later.
    """
    interrupts: list[int] = []
    timer = threading.Timer(LEFT_S, _end_at_once)
    timer.daemon = True

    def on_signal(number: int, _frame: object) -> None:
        interrupts.append(number)
        if len(interrupts) == 2:
            timer.start()
            raise KeyboardInterrupt

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(interrupts)
    finally:
        timer.cancel()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _end_at_once() -> None:
    """Of a program that hangs in a call which no exception leaves."""
    kill_all()
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), b"\x1b[?25h\n")  # the live panel hides the cursor
    os._exit(130)
