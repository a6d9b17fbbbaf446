"""How much memory the process takes, and how a person writes an amount of it."""

from __future__ import annotations

import re
import resource
import sys
from pathlib import Path

from space.errors import UserError

UNITS = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
STATUS = Path("/proc/self/status")


def taken_bytes() -> int:
    """What the process takes now; where the system does not say, the most that it has taken."""
    try:
        found = re.search(r"VmRSS:\s*(\d+) kB", STATUS.read_text("ascii", "replace"))
    except OSError:
        found = None
    return int(found[1]) * 1024 if found else most_taken_bytes()


def most_taken_bytes() -> int:
    """The most that the process has taken so far."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def parse_memory(option: str, text: str) -> int:
    """Bytes of ``1gb``, ``800mb`` or ``1.5gib``."""
    match = re.fullmatch(r"([0-9]{1,7}(?:\.[0-9]{1,6})?)\s*(kb|mb|gb|kib|mib|gib)", text.strip().lower())
    if match is None or float(match[1]) == 0:
        raise UserError(f"{option} must be an amount of memory such as 1gb or 800mb, got {text!r}")
    return int(float(match[1]) * UNITS[match[2]])
