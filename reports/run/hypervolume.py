"""The area under a front."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]  # a network's cost and its PSNR in dB
BEYOND = 1.1  # the reference point costs so many times the most expensive member, which then adds to its front too


def hypervolume(front: Sequence[Point], reference: Point) -> float:
    """The area that ``front`` (cheapest first) dominates up to ``reference``, in dB times decades of cost."""
    cost, lowest_db = reference
    ends = [*(cost for cost, _ in front), cost]
    return sum(
        (psnr_db - lowest_db) * math.log10(after / before)
        for (_, psnr_db), (before, after) in zip(front, pairwise(ends), strict=True)
    )
