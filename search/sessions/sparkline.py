"""A curve in one line of text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN_BLOCKS = "_.-~=+*#"  # where a terminal has no blocks
HIGHEST = 98  # percentile at which the line is full: one wild value must not flatten all others


def sparkline(values: Sequence[float], width: int, blocks: str = BLOCKS) -> str:
    """``values`` from left to right in at most ``width`` characters, each the mean of those that it stands for.

    The lowest has the first of ``blocks``, the highest the last; equal values have the one in the middle. What is not
    finite is a space.
    """
    if not values or width < 1:
        return ""
    parts = np.array_split(np.asarray(values, dtype=float), min(width, len(values)))
    means = np.array([part.mean() for part in parts])
    finite = means[np.isfinite(means)]
    if not len(finite):
        return " " * len(means)
    low, high = finite.min(), np.percentile(finite, HIGHEST)
    if high <= low:
        high = finite.max()
    if high <= low:
        return "".join(blocks[len(blocks) // 2] if np.isfinite(mean) else " " for mean in means)
    levels = np.clip((means - low) / (high - low), 0, 1) * (len(blocks) - 1)
    return "".join(blocks[round(level)] if np.isfinite(level) else " " for level in levels.tolist())


def blocks_for(encoding: str | None) -> str:
    """``BLOCKS`` where ``encoding`` has them."""
    try:
        BLOCKS.encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return PLAIN_BLOCKS
    return BLOCKS
