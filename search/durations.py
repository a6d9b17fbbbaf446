"""Durations in words, the same everywhere."""

from __future__ import annotations


def duration_text(seconds: float) -> str:
    """``40 s``, ``2 min 30 s``, ``10 min``, ``2 h 5 min``: the two largest units, without one that is zero."""
    if seconds < 59.5:
        return f"{seconds:.0f} s" if seconds >= 9.95 or seconds == int(seconds) else f"{seconds:.1f} s"
    if seconds < 3599.5:
        return _joined(round(seconds), 60, "min", "s")
    return _joined(round(seconds / 60), 60, "h", "min")


def _joined(count: int, size: int, large: str, small: str) -> str:
    whole, rest = divmod(count, size)
    return f"{whole} {large}" + (f" {rest} {small}" if rest else "")
