"""The journal file on disk: openable after any kill, and refused where a byte of it was changed.

A line is a JSON object of Optuna's with one more value at its end, ``crc``: the CRC-32 of the line before it. Lines of
older runs have none.
"""

from __future__ import annotations

import json
import os
import re
import zlib
from collections.abc import Generator
from itertools import islice
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from search.storage.replay import DamagedLineError, QuickStorage, parsed
from space.errors import UserError

JOURNAL = "journal.log"
_BEFORE_CRC, MOST_CRC_DIGITS = b',"crc":', 10
_CRC = re.compile(rb'(.*),"crc":(\d{1,10})', re.DOTALL)
_END = b"}\n"


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
    good = whole_bytes(path, data)
    if good == len(data):
        return 0
    ending = _CRC.match(data[good:])
    if ending is not None and zlib.crc32(ending[1]) == int(ending[2]):
        good, end = good + ending.end(), _END  # only its end is missing
    else:
        end = b""
    with open(path, "r+b") as handle:
        handle.truncate(good)
        handle.seek(good)
        handle.write(end)
        handle.flush()
        os.fsync(handle.fileno())
    return len(data) - good


def whole_bytes(path: Path, data: bytes) -> int:
    """How many bytes of ``data``, read from the journal at ``path``, are whole lines; what follows was never finished.

    Raises:
        UserError: a line before the last is damaged, which no kill explains; names the line.
    """
    *lines, unfinished = data.split(b"\n")
    damaged = _first_damaged(lines)
    if damaged is None:
        return len(data) - len(unfinished)
    good, line = sum(len(whole) + 1 for whole in lines[:damaged]), lines[damaged]
    if good + len(line) + 1 < len(data) or line.endswith(b"}"):  # a kill leaves the beginning of a line
        raise _damaged(path, damaged + 1)
    return good


class _WholeLinesBackend(JournalFileBackend):
    """Optuna's journal file with checksums, read by the thousand lines; a write that fails (a full disk) leaves nothing
    behind.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self._path = path

    def read_logs(self, log_number_from: int) -> Generator[dict[str, Any], None, None]:
        """As Optuna's: an unfinished or damaged last line is not there.

        Raises:
            UserError: a line before the last is damaged; names it.
        """
        begun = log_number_from if log_number_from in self._log_number_offset else 0
        offset = self._log_number_offset[begun]
        with open(self._path, "rb") as handle:
            handle.seek(offset)
            *lines, tail = handle.read().split(b"\n")
        ending = _CRC.match(tail)
        if ending is not None and zlib.crc32(ending[1]) == int(ending[2]):
            lines.append(ending[0] + b"}")  # only its end is missing, as ``repair`` finds
        elif lines and _first_damaged(lines[-1:]) is not None:
            lines.pop()
        try:
            yield from islice(parsed(lines), log_number_from - begun, None)
        except DamagedLineError as error:
            raise _damaged(self._path, begun + error.number) from None
        self._log_number_offset[begun + len(lines)] = offset + sum(map(len, lines)) + len(lines)

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        size = self._path.stat().st_size
        try:
            super().append_logs([_with_crc(log) for log in logs])
        except OSError:
            os.truncate(self._path, size)
            raise
        except RuntimeError:
            # Optuna says that the lock, a file beside the journal, is gone: so is the folder, moved or deleted.
            self._path.stat()
            raise


def journal_storage(path: Path) -> JournalStorage:
    """Optuna's storage over the journal at ``path``.

    Raises:
        UserError: the journal is damaged.
    """
    try:
        return QuickStorage(_WholeLinesBackend(path))
    except UserError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, AssertionError) as error:
        raise UserError(
            f"journal {path} must be that of a run, undamaged, got lines that do not belong together "
            f"({type(error).__name__}: {error}); restore the file, or use --run-dir for a new run"
        ) from error


def _damaged(path: Path, number: int) -> UserError:
    return UserError(
        f"journal {path} is damaged at line {number}: it must be one JSON object per line, as it was written; restore "
        "the file, or use --run-dir for a new run"
    )


def _with_crc(log: dict[str, Any]) -> dict[str, Any]:
    """As Optuna writes it, compact, so that the checksum is of the bytes that stand before it in the file."""
    return {**log, "crc": zlib.crc32(json.dumps(log, separators=(",", ":")).encode()[:-1])}


def _first_damaged(lines: list[bytes]) -> int | None:
    """The index of the first of ``lines``, without their ends, that is not as it was written; None if all are.

    A line with a checksum is not parsed here, and those without, of older runs, are parsed by the thousand.
    """
    plain, damaged = [], None
    for index, line in enumerate(lines):
        agrees = _agrees(line)
        if agrees is None:
            plain.append(index)
        elif not agrees:
            damaged = index
            break
    try:
        for _ in parsed([lines[index] for index in plain]):
            pass
    except DamagedLineError as error:
        return plain[error.number - 1]
    return damaged


def _agrees(line: bytes) -> bool | None:
    """Whether ``line`` agrees with the checksum at its end; None where there is none."""
    at = line.rfind(_BEFORE_CRC, -len(_BEFORE_CRC) - MOST_CRC_DIGITS - 1)
    digits = line[at + len(_BEFORE_CRC) : -1]
    if at < 0 or not line.endswith(b"}") or not digits.isdigit():
        return None
    return zlib.crc32(line[:at]) == int(digits)
