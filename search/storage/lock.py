"""One owner at a time of a folder that is written to: a run, or the trainings of an experiment."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from space.errors import UserError

OWNER = "owner.lock"


def own(folder: Path) -> IO[str]:
    """Take ``folder`` for this process until the returned file is closed, or the
    process ends in any way.

    Raises:
        UserError: another process has it.
    """
    handle = open(folder / OWNER, "a+", encoding="utf-8")  # noqa: SIM115 (held open as long as the folder is ours)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.seek(0)
        owner = handle.read().strip() or "unknown"
        handle.close()
        raise UserError(
            f"{folder} is being written by another command (process {owner}); wait for it or stop it"
        ) from None
    except BaseException:
        handle.close()
        raise
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


def is_owned(folder: Path) -> bool:
    """Whether a process owns ``folder`` now."""
    try:
        with open(folder / OWNER, "rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
