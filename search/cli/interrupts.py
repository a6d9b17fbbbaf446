"""Ctrl-C and termination: the first one asks to stop with everything saved, the second one stops at once."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def noted_interrupts() -> Iterator[Callable[[], bool]]:
    """Inside, SIGINT and SIGTERM are noted; gives the question whether one has come.

    Raises:
        KeyboardInterrupt: at the second one.
    """
    interrupts: list[int] = []

    def on_signal(number: int, _frame: object) -> None:
        interrupts.append(number)
        if len(interrupts) > 1:
            raise KeyboardInterrupt

    previous = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(interrupts)
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
