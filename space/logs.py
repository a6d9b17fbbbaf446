"""``log.txt``: details for debugging a run. Tracebacks go there, not to the terminal.

Everything is logged under the logger ``litefront``; without ``log_to`` nothing is written.
"""

from __future__ import annotations

import logging
import os
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOG_FILE = "log.txt"
LOGGER = logging.getLogger("litefront")
LOGGER.addHandler(logging.NullHandler())
FORMAT = "%(asctime)s %(levelname)s process %(process)d: %(message)s"
VERBOSE = "LITEFRONT_VERBOSE"
"""Environment variable: with any value, the traceback of what is not the user's mistake is also printed."""

_latest: list[Path] = []  # the file of the last ``log_to`` in this process


class _QuietFileHandler(logging.FileHandler):
    """A log that cannot be written (a full disk) is never what a run fails of."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            super().emit(record)
        except OSError:  # its folder is gone
            pass

    def handleError(self, record: logging.LogRecord) -> None:
        pass


@contextmanager
def log_to(path: Path) -> Iterator[Path]:
    """Context in which the logger appends to ``path``; the file is created with the first line."""
    handler = _QuietFileHandler(path, delay=True, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter(FORMAT))
    level = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    _latest[:] = [path]
    try:
        yield path
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)
        handler.close()


@contextmanager
def shown_log() -> Iterator[None]:
    """Context in which log messages are also printed on standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(FORMAT))
    level = LOGGER.level
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(level)


def forget_log() -> None:
    """At the start of a command, detach the log of an earlier command in the same process."""
    _latest.clear()


def keep_traceback(error: BaseException) -> Path | None:
    """Append the traceback of ``error`` to the command's log, or to a new file if it has none.

    Returns the path, or None if neither can be written.
    """
    text = "".join(traceback.format_exception(error))
    for path in _latest:
        try:
            with open(path, "a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            return path
        except OSError:
            pass
    try:
        handle, name = tempfile.mkstemp(prefix="litefront-", suffix="-log.txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        return Path(name)
    except OSError:
        return None


def is_verbose() -> bool:
    return bool(os.environ.get(VERBOSE))
