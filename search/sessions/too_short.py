"""Warning about a run whose time is too short to search, with the time that would suffice."""

from __future__ import annotations

from search.durations import duration_text
from search.rungs import LADDER, SAFETY

SOME = 8  # searched networks that make a search: as many as make a front (``search.pareto.ENOUGH_TRIALS``)
RESERVE_S, RESERVE_SHARE = 30, 0.15  # of the whole time, kept for pictures and page


def usable_s(time_s: float) -> float:
    """What is left for training of a run of ``time_s`` seconds."""
    return time_s - min(RESERVE_S, RESERVE_SHARE * time_s)


def too_short(time_s: float, used_s: float, fixed_step_s: float, searched_step_s: float, workers: int) -> str | None:
    """What to say of a run that trains fewer networks than a search needs, with their number, or None.

    Args:
        used_s: seconds of ``time_s`` that are over.
        fixed_step_s: seconds that one step of *every* fixed trial takes, added up.
        searched_step_s: seconds that one step of a searched network takes on average.
    """
    training_s = SAFETY * LADDER[0] * (fixed_step_s + SOME * searched_step_s) / workers
    needed_s = used_s + training_s
    if not searched_step_s or usable_s(time_s) >= needed_s:
        return None
    enough_s = min(needed_s / (1 - RESERVE_SHARE), needed_s + RESERVE_S)
    minutes = int(enough_s // 60) + 1
    left_s = (usable_s(time_s) - used_s) * workers / (SAFETY * LADDER[0])  # for one step of each that it trains
    own = int((left_s - fixed_step_s) / searched_step_s)
    if fixed_step_s:
        what = f"trains the published networks and {f'about {own}' if own > 1 else 'hardly one'} of its own"
    else:
        what = f"trains {f'about {own} networks' if own > 1 else 'hardly a network'}"
    return f"{duration_text(time_s)} is too short to search: the run {what}; for {SOME} of its own: --time {minutes}m"
