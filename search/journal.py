"""The journal file on disk: one owner at a time, and openable after any kill."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from search.replay import DamagedLineError, QuickStorage, parsed
from space.errors import UserError

JOURNAL = "journal.log"
OWNER = "owner.lock"


def own(folder: Path) -> IO[str]:
    """Take ``folder`` (a run, a queue's trainings) for this process until the returned file is closed, or the
    process ends in any way.

    Raises:
        UserError: another process has it.
    """
    handle = open(folder / OWNER, "a+", encoding="utf-8")  # noqa: SIM115 (held open as long as the folder is ours)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.seek(0)
        owner = handle.read().strip() or "unknown"
        handle.close()
        raise UserError(
            f"{folder} is being written by another command (process {owner}); wait for it or stop it"
        ) from None
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


def repair(path: Path) -> int:
    """Cut an unfinished last line off the journal, and clear the write lock of a dead owner; call only as owner.

    A kill during a write leaves a line without its end; the next write would be glued to it and lost with it.

    Returns:
        The number of bytes cut.

    Raises:
        UserError: a line before the last is damaged, which no kill explains; names the line.
    """
    lock = path.with_name(path.name + ".lock")
    if lock.is_symlink() or lock.exists():
        lock.unlink()
    for leftover in path.parent.glob(path.name + ".lock*.rename"):
        leftover.unlink()
    data = path.read_bytes()
    lines = data.split(b"\n")
    whole, tail = lines[:-1], lines[-1]
    # Whoever reads the journal parses every line (``WholeLinesBackend.read_logs``); here they need only look whole.
    damaged = None
    if whole and (not data.startswith(b"{") or data.count(b"}\n{") < len(whole) - (not tail.startswith(b"{"))):
        damaged = next((n for n, line in enumerate(whole, start=1) if line[:1] != b"{" or line[-1:] != b"}"), None)
    if damaged is None and whole and not _is_json(whole[-1]):
        damaged = len(whole)
    cut = len(tail)
    if damaged is not None:
        if damaged < len(whole) or tail:
            raise _damaged(path, damaged)
        cut += len(whole[-1]) + 1
    if cut:
        with open(path, "r+b") as handle:
            handle.truncate(len(data) - cut)
            os.fsync(handle.fileno())
    return cut


class WholeLinesBackend(JournalFileBackend):
    """Optuna's journal file, read by the thousand lines; a write that fails (a full disk) leaves nothing behind."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path

    def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
        """As Optuna's: an unfinished or damaged last line is not there.

        Raises:
            UserError: a line before the last is damaged; names it.
        """
        begun = log_number_from if log_number_from in self._log_number_offset else 0
        offset = self._log_number_offset[begun]
        with open(self._path, "rb") as handle:
            handle.seek(offset)
            lines = handle.read().split(b"\n")[:-1]
        if lines and not _is_json(lines[-1]):
            lines.pop()
        try:
            for number, (line, log) in enumerate(zip(lines, parsed(lines), strict=True), start=begun):
                offset += len(line) + 1
                self._log_number_offset[number + 1] = offset
                if number >= log_number_from:
                    yield log
        except DamagedLineError as error:
            raise _damaged(self._path, begun + error.number) from None

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        size = self._path.stat().st_size
        try:
            super().append_logs(logs)
        except OSError:
            os.truncate(self._path, size)
            raise


def storage(path: Path) -> JournalStorage:
    """Optuna's storage over the journal at ``path``.

    Raises:
        UserError: the journal is damaged.
    """
    try:
        return QuickStorage(WholeLinesBackend(path))
    except UserError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, AssertionError) as error:
        raise UserError(
            f"journal {path} must be one that a search wrote, got lines that do not belong together "
            f"({type(error).__name__}: {error}); restore the file, or use --run-dir for a new run"
        ) from error


def _damaged(path: Path, number: int) -> UserError:
    return UserError(
        f"journal {path} is damaged at line {number}: it must be one JSON object per line; restore the file, or use "
        "--run-dir for a new run"
    )


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
