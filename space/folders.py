"""Folders that are written whole or not at all: filled under another name, then renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from space.files import current_umask


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """A new, empty folder beside ``path`` to write into, which takes the place of ``path`` when all went well.

    Until then, ``path`` is as it was; after an error or an interrupt it still is, and nothing is left behind. Only flat
    files are synced to the disk. The folder of ``path`` must exist.
    """
    filled = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part"))
    try:
        os.chmod(filled, 0o777 & ~current_umask())  # mkdtemp makes folders that only their owner can enter
        yield filled
        for file in filled.iterdir():
            _sync(file)
        _sync(filled)
        _replace(filled, path)
    except BaseException:
        shutil.rmtree(filled, ignore_errors=True)
        raise


def _replace(filled: Path, path: Path) -> None:
    """Rename ``filled`` to ``path``; what was there goes only after it."""
    if not path.exists():
        filled.rename(path)
        return
    aside = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".old"))
    path.rename(aside / path.name)
    try:
        filled.rename(path)
    except BaseException:
        (aside / path.name).rename(path)
        aside.rmdir()
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
