"""Expected hypervolume improvement where only the quality is uncertain: what a network costs is known before training.

A front says for every cost what quality is had up to it, and a new design improves that for all costs from its own on.
So the expected improvement (Jones et al. 1998) over that quality, summed over those costs, is the expected hypervolume
improvement: exact for one cost, over a fixed sample of costs for several.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr
from scipy.stats import qmc

SAMPLES = 1024  # of costs, where there are several


@dataclass(frozen=True)
class Front:
    """What quality is had up to which cost.

    Args:
        costs: `(results, costs)`, logarithms, so that an improvement is in dB times decades.
        quality: `(results,)`; results that are not on the front do no harm.
        lowest: the quality that is had for nothing.
    """

    costs: np.ndarray
    quality: np.ndarray
    lowest: float

    def expected_improvement(
        self, costs: np.ndarray, mean: np.ndarray, deviation: np.ndarray, reference: np.ndarray
    ) -> np.ndarray:
        """Of designs of normally distributed quality; ``costs`` are `(designs, costs)`, the others `(designs,)`.

        ``reference`` are the costs, `(costs,)`, beyond which nothing counts.
        """
        if not self.costs.shape[1]:
            return _expected_gain(mean, deviation, max(self.quality.max(initial=-np.inf), self.lowest))
        if self.costs.shape[1] == 1:
            return self._over_one_cost(costs[:, 0], mean, deviation, float(reference[0]))
        return self._over_several(costs, mean, deviation, reference)

    def _over_one_cost(
        self, costs: np.ndarray, mean: np.ndarray, deviation: np.ndarray, reference: float
    ) -> np.ndarray:
        order = np.argsort(self.costs[:, 0], kind="stable")
        had = np.maximum.accumulate(np.maximum(self.quality[order], self.lowest))
        rises = np.flatnonzero(np.diff(had, prepend=self.lowest) > 0)  # the front itself, cheapest first
        begins = np.array([-np.inf, *self.costs[order[rises], 0]])
        ends = np.minimum([*begins[1:], np.inf], reference)
        improved = np.zeros(len(costs))
        for begin, end, quality in zip(begins, ends, [self.lowest, *had[rises]], strict=True):
            width = np.maximum(end - np.maximum(begin, costs), 0)
            improved += width * _expected_gain(mean, deviation, quality)
        return improved

    def _over_several(
        self, costs: np.ndarray, mean: np.ndarray, deviation: np.ndarray, reference: np.ndarray
    ) -> np.ndarray:
        least = np.vstack([costs, self.costs]).min(axis=0)
        sampled = qmc.Halton(len(reference), scramble=False).random(SAMPLES) * (reference - least) + least
        improved = np.zeros(len(costs))
        for sample in sampled:
            had = self.quality[(self.costs <= sample).all(axis=1)].max(initial=self.lowest)
            within = (costs <= sample).all(axis=1)
            improved[within] += _expected_gain(mean[within], deviation[within], had)
        return improved * np.prod(np.maximum(reference - least, 0)) / SAMPLES


def _expected_gain(mean: np.ndarray, deviation: np.ndarray, over: float) -> np.ndarray:
    """The expected excess of a normal quality over ``over``; of a known one, without a deviation, the excess."""
    known = deviation == 0
    z = (mean - over) / np.where(known, 1.0, deviation)
    expected = deviation * (z * ndtr(z) + np.exp(-(z**2) / 2) / (2 * np.pi) ** 0.5)
    return np.where(known, np.maximum(mean - over, 0.0), expected)
