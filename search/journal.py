"""The journal file on disk: one owner at a time, and openable after any kill."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import IO, Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

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
    good = 0
    for number, line in enumerate(data.splitlines(keepends=True), start=1):
        if not (line.endswith(b"\n") and _is_json(line)):
            if good + len(line) < len(data):
                raise UserError(
                    f"journal {path} is damaged at line {number}: it must be one JSON object per line; "
                    "restore the file, or use --run-dir for a new run"
                )
            break
        good += len(line)
    if good < len(data):
        with open(path, "r+b") as handle:
            handle.truncate(good)
            os.fsync(handle.fileno())
    return len(data) - good


class WholeLinesBackend(JournalFileBackend):
    """Optuna's journal file, in which a write that fails (a full disk) leaves nothing behind."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        size = self._path.stat().st_size
        try:
            super().append_logs(logs)
        except OSError:
            os.truncate(self._path, size)
            raise


def storage(path: Path) -> JournalStorage:
    """Optuna's storage over the journal at ``path``."""
    return JournalStorage(WholeLinesBackend(path))


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False
