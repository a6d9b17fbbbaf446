"""One process at a time imports NNI: its first import in an environment writes a module that others would read half."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path


@contextmanager
def importing_alone() -> Iterator[None]:
    """Wait until no other process of this user is in here; where no file can be locked, do not wait."""
    path = Path(tempfile.gettempdir()) / f"litefront-nni-import-{os.getuid()}.lock"
    with ExitStack() as held:
        try:
            fcntl.flock(held.enter_context(open(path, "a", encoding="utf-8")), fcntl.LOCK_EX)
        except OSError:
            pass
        yield
