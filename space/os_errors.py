"""An operating system's error as one line: what went wrong, with which file, and the remedy."""

from __future__ import annotations

import errno

SHARED_MEMORY = "/dev/shm"
ENLARGE = f"shared memory is too small: enlarge {SHARED_MEMORY} (docker run --shm-size=1g)"
REMEDIES: dict[int | None, str] = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f), or free some space",
    errno.EROFS: "the file system is read-only; choose a folder that can be written",
    errno.EACCES: "check its permissions, or choose another",
    errno.EPERM: "check its permissions, or choose another",
    errno.ENOENT: "check the name; it may have been moved or deleted",
    errno.ENOTDIR: "a part of its path is a file; choose another",
    errno.EISDIR: "it is a folder, and a file is needed",
    errno.EEXIST: "something of that name is in the way; choose another",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "its links go in a circle",
    errno.EIO: "the disk or the file cannot be read or written; copy it elsewhere",
    errno.EMFILE: "raise the limit on open files (ulimit -n), or use fewer --workers",
    errno.ENFILE: "close other programs, or use fewer --workers",
    errno.ENOMEM: "close other programs, or use fewer --workers",
    errno.EAGAIN: "raise the limit on processes (ulimit -u), or use fewer --workers",
    errno.ESTALE: "the network drive was mounted again; give the command again",
}
MISTAKES = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EACCES,
    errno.EPERM,
    errno.EINVAL,
    errno.ENOTEMPTY,
    None,
}
"""What a user mends by giving another name; None is an error that no system call gave, such as a damaged file's."""


def os_error_line(error: OSError) -> str:
    """One line without a full stop; too little shared memory is reported as such."""
    what = error.strerror or first_line(error) or type(error).__name__
    names = [name for name in (error.filename, error.filename2) if name is not None]
    where = ": " + " and ".join(" ".join(str(name).split()) for name in names) if names else ""
    if any(str(name).startswith(SHARED_MEMORY) for name in names):
        return f"{what}{where}; {ENLARGE}"
    remedy = REMEDIES.get(error.errno)
    return f"{what}{where}; {remedy}" if remedy else f"{what}{where}"


def shared_memory_line(error: BaseException) -> str | None:
    """The line for torch's shared-memory error, which is a plain RuntimeError; None for any other error."""
    text = first_line(error)
    known = ("shared memory", SHARED_MEMORY, "torch_shm_manager")
    return f"{text}; {ENLARGE}" if isinstance(error, RuntimeError) and any(part in text for part in known) else None


def exit_status(error: OSError) -> int:
    """2 if the user's input is at fault, 1 if the machine is."""
    return 2 if error.errno in MISTAKES else 1


def first_line(error: BaseException) -> str:
    """The first line of an error's text; empty if it has none."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "")
