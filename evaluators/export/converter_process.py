"""Converters that are programs of their own: run quietly, in a given folder, with a time limit."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from evaluators.export.formats import ExportError

LIMIT_S = 600


def run_converter(name: str, command: Sequence[str], folder: Path, limit_s: float = LIMIT_S) -> str:
    """What ``command`` printed; it runs in ``folder``, where it may leave files.

    Raises:
        ExportError: it ended with an error, by a signal, or not within ``limit_s`` seconds.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=limit_s,
        )
    except subprocess.TimeoutExpired:
        raise ExportError(f"{name} did not finish within {limit_s:g} s") from None
    except OSError as error:
        raise ExportError(f"{name} could not be started: {error.strerror or error}") from None
    if done.returncode < 0:
        raise ExportError(f"{name} was ended by {_signal(-done.returncode)}{last_words(done.stdout)}")
    if done.returncode:
        raise ExportError(f"{name} ended with status {done.returncode}{last_words(done.stdout)}")
    return done.stdout


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def last_words(output: str) -> str:
    """The line that says most: the last that speaks of a failure, or the last one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "error" in line.lower() or "fail" in line.lower()] or lines
    return f": {telling[-1][:300]}" if telling else ", saying nothing"
