"""The stairs of a cost: how many channels a latency table, or a part that narrows itself, gives for nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

SAME = 1e-9  # as a share of the cost
AHEAD = 8
"""Channels further that are looked at where a cost may fall again: GSAT has 8 groups where they divide its width, and
at one channel less or more a single one, which costs eight times as much."""


def widened(
    counts: Mapping[str, int],
    most: Mapping[str, int],
    cost: Callable[[Mapping[str, int]], float],
    uneven: Collection[str] = (),
) -> dict[str, int]:
    """``counts`` of units by group, each raised as far as ``cost`` does not rise, to ``most`` at the highest.

    A cost that grows with every channel leaves them. Groups are taken one after the other, the narrowest first. Of
    those that are ``uneven`` a wider one may cost less than a narrower one.
    """
    found = dict(counts)
    limit = cost(found)
    for name in sorted(counts, key=lambda each: counts[each]):
        ahead, tried = AHEAD if name in uneven else 1, found[name]
        while tried < min(most[name], found[name] + ahead):
            tried += 1
            price = cost({**found, name: tried})
            if price <= limit * (1 + SAME):
                found[name], limit = tried, min(limit, price)
    return found
