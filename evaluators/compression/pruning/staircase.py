"""The stairs of a cost: how many channels a latency table gives for nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

SAME = 1e-9  # as a share of the cost


def widened(
    counts: Mapping[str, int], most: Mapping[str, int], cost: Callable[[Mapping[str, int]], float]
) -> dict[str, int]:
    """``counts`` of units by group, each raised as far as ``cost`` stays what it is, to ``most`` at the highest.

    A cost that grows with every channel leaves them. Groups are taken one after the other, the narrowest first.
    """
    found = dict(counts)
    limit = cost(found) * (1 + SAME)
    for name in sorted(counts, key=lambda each: counts[each]):
        while found[name] < most[name] and cost({**found, name: found[name] + 1}) <= limit:
            found[name] += 1
    return found
