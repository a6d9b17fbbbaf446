"""Where an axis of a picture is cut, so that all tiles are of as few sizes as can be and take the least time."""

from __future__ import annotations

from typing import TypeAlias

from evaluators.restore.spatial_trace import COLUMNS, ROWS

Cuts: TypeAlias = "tuple[tuple[int, int, int, int], ...]"
"""Of each tile along one axis: start and end of the core, start and end of the window."""

SLOWER = 1.4  # tiles with larger arrays than are reused (``plan.REUSED_BYTES``), as measured there
MOST_TILES = 1024  # along an axis


def rounded_up(length: int, step: int) -> int:
    return -(-length // step) * step


def both_rounded_up(size: tuple[int, int], step: int) -> tuple[int, int]:
    return rounded_up(size[0], step), rounded_up(size[1], step)


def _window_length(length: int, count: int, before: int, after: int, step: int) -> int:
    """Of ``count`` equal windows that overlap by ``before`` and ``after``."""
    return length if count == 1 else rounded_up(-(-(length + (count - 1) * (before + after)) // count), step)


def cheapest(
    size: tuple[int, int],
    around: tuple[tuple[int, ...], tuple[int, ...]],
    step: int,
    most_px: float,
    quick_px: float,
    most_rows: int,
) -> tuple[int, int] | None:
    """How many rows and columns of tiles take the least time with windows of at most ``most_px``; None if none do.

    Windows above ``quick_px`` take ``SLOWER`` times as long per pixel.
    """
    options = []
    for axis, length in ((ROWS, size[1]), (COLUMNS, size[0])):
        before, after = around[0][axis], around[1][axis]
        found: dict[int, int] = {}
        for count in range(1, MOST_TILES + 1):
            window = _window_length(length, count, before, after, step)
            if count > 1 and window - before - after < step:
                break
            found.setdefault(window, count)
        options.append([(count, window, window - before - after) for window, count in found.items()])
    best: tuple[float, int, int] | None = None
    for row_count, height, kept in options[0]:
        is_too_high = kept > max(most_rows, 2 * (height - kept)) and row_count < options[0][-1][0]
        for column_count, width, _ in options[1]:
            if height * width <= most_px and not is_too_high:
                time = row_count * height * column_count * width * (SLOWER if height * width > quick_px else 1)
                if best is None or time < best[0]:
                    best = (time, row_count, column_count)
    return None if best is None else best[1:]


def axis_cuts(length: int, count: int, before: int, after: int, step: int) -> Cuts:
    """(core's start and end, window's start and end) of each tile; all windows are alike, but for the last."""
    window = _window_length(length, count, before, after, step)
    advance = window - before - after
    cuts = []
    start = 0
    while True:
        first = max(0, start - before)
        last = min(first + window, length)
        end = length if last == length else last - after
        cuts.append((start, end, first, last))
        if end == length:
            return tuple(cuts)
        start = end
        assert advance > 0


def fixed_cuts(length: int, window: int, before: int, after: int) -> Cuts:
    """As ``axis_cuts``, with windows of one length: the last one lies further back."""
    cuts = []
    start = 0
    while True:
        first = min(max(0, start - before), length - window)
        last = first + window
        end = length if last == length else last - after
        cuts.append((start, end, first, last))
        if end == length:
            return tuple(cuts)
        start = end
