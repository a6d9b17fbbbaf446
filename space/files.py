"""Atomic writes: a file is either the old one or the complete new one, even if the process is killed while writing."""

from __future__ import annotations

import csv
import io
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def atomic_file(path: Path | str) -> Iterator[BinaryIO]:
    """A file to write to that replaces ``path`` when the block ends, and leaves nothing where it fails.

    It is a temporary file in the same folder (a rename is atomic only within one file system), synced and renamed. The
    folder must exist.
    """
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~current_umask())  # mkstemp makes files that only their owner can read
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_atomically(path: Path | str, content: bytes | memoryview) -> None:
    """Replace the file ``path`` with ``content`` atomically; the folder must exist."""
    with atomic_file(path) as file:
        file.write(content)


def write_text_atomically(path: Path | str, text: str) -> None:
    """As ``write_atomically``, in UTF-8 and with the line endings of ``text`` on every platform."""
    write_atomically(path, text.encode())


def write_csv_atomically(path: Path | str, rows: Iterable[Iterable[object]]) -> None:
    """As ``write_text_atomically``, one line per row; the first row is the header."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_text_atomically(path, text.getvalue())


def current_umask() -> int:
    """The process's file mode mask; it can only be read by setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
