"""How long a network's training takes, learnt from those of a run: a step has a fixed part and one by the work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls


@dataclass(frozen=True)
class TrainingTime:
    """Seconds for ``macs`` multiply-accumulates an image: ``fixed_s + macs * s_per_mac``."""

    fixed_s: float
    s_per_mac: float

    @classmethod
    def fitted(cls, macs: Sequence[int], seconds: Sequence[float]) -> TrainingTime | None:
        """With the least squared *relative* error of non-negative terms, so that cheap networks count as much as dear
        ones.

        Trainings of no seconds, such as inherited results, say nothing; None where fewer than two are left.
        """
        timed = [(work, each) for work, each in zip(macs, seconds, strict=True) if each > 0]
        if len(timed) < 2:
            return None
        rows = np.array([[1 / each, work / each] for work, each in timed])
        largest = rows.max(axis=0)
        fixed_s, s_per_mac = nnls(rows / largest, np.ones(len(rows)))[0] / largest
        return cls(float(fixed_s), float(s_per_mac))

    def of(self, macs: Sequence[int]) -> np.ndarray:
        """`(networks,)` seconds."""
        return self.fixed_s + self.s_per_mac * np.asarray(macs, dtype=float)
