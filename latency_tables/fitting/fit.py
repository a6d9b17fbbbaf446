"""Prices of operators from measurements of whole networks.

Non-negative least squares on relative errors, regularised towards prices common to core sets of the same kind. Without
the regularisation many prices are determined by a single network family, and networks of other families are predicted
badly; all core sets together determine the ratios between prices better than any single one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import nnls

from latency_tables.fitting.measurements import CoreSet, measurements
from latency_tables.fitting.networks import family, networks
from latency_tables.fitting.prices import least_prices, quantities

# How strongly a price is drawn: as much as this squared number of networks would that consist of its operators alone at
# the root mean square of its share. Chosen by leave-one-family-out error over all 84 sets: 0.4 to 1.5 do equally well.
TOWARDS_COMMON = 1.0
TOWARDS_LEAST = 0.4  # of the common prices, towards their lower bounds: keeps twins of terms at even shares
BOOTSTRAP_SAMPLES = 60
SEED = 20240222  # any fixed number: tables are reproducible to the byte


@dataclass(frozen=True)
class Problem:
    """The data of a fit: ``amounts`` (networks, prices) and ``latency_ms`` (core sets, networks)."""

    core_sets: tuple[CoreSet, ...]
    networks: tuple[str, ...]
    families: tuple[str, ...]
    amounts: np.ndarray
    latency_ms: np.ndarray
    least: np.ndarray  # (core sets, prices)

    def alike(self, index: int) -> list[int]:
        """The core sets that share ``index``'s common prices: of its dtype, and of one thread or of several alike."""
        own = self.core_sets[index]
        return [
            other
            for other, core_set in enumerate(self.core_sets)
            if core_set.dtype == own.dtype and (core_set.threads > 1) == (own.threads > 1)
        ]

    def without(self, core_sets: Sequence[int]) -> Problem:
        """The same with some core sets left out."""
        kept = [index for index in range(len(self.core_sets)) if index not in set(core_sets)]
        return Problem(
            tuple(self.core_sets[index] for index in kept),
            self.networks,
            self.families,
            self.amounts,
            self.latency_ms[kept],
            self.least[kept],
        )


@lru_cache(maxsize=1)
def published_problem() -> Problem:
    """The shipped measurements and operators."""
    measured, listed = measurements(), networks()
    return Problem(
        measured.core_sets,
        measured.networks,
        tuple(family(network) for network in measured.networks),
        quantities(listed[network] for network in measured.networks),
        measured.latency_ms,
        np.array([least_prices(core_set) for core_set in measured.core_sets]),
    )


def fit_prices(
    amounts: np.ndarray, latency_ms: np.ndarray, least: np.ndarray, towards: np.ndarray, strength: float
) -> np.ndarray:
    """(prices,), at least ``least``, that minimise relative error, regularised ``towards`` a guess by ``strength``.

    ``amounts`` is (networks, prices), ``latency_ms`` (networks,).
    """
    shares = amounts / latency_ms[:, None]
    pull = strength * np.sqrt((shares**2).mean(axis=0))
    rows = np.vstack([shares, np.diag(pull)])
    goal = np.concatenate([1 - shares @ least, pull * np.maximum(towards - least, 0)])
    scale = np.linalg.norm(rows, axis=0)
    scale[scale == 0] = 1
    solution, _ = nnls(rows / scale, goal, maxiter=100 * rows.shape[1])
    prices = solution / scale + least
    unseen = ~amounts.any(axis=0)  # nothing was measured of these: the guess stands
    prices[unseen] = np.maximum(towards, least)[unseen]
    return prices


def common_prices(problem: Problem, sets: Sequence[int], chosen: np.ndarray) -> np.ndarray:
    """(prices,) fitted to the geometric mean of ``sets``, each scaled to the same mean; of the ``chosen`` networks."""
    logs = np.log(problem.latency_ms[np.ix_(np.array(sets), chosen)])
    means = logs.mean(axis=1, keepdims=True)
    least = np.mean(problem.least[sets] / np.exp(means), axis=0)
    return fit_prices(problem.amounts[chosen], np.exp((logs - means).mean(axis=0)), least, least, TOWARDS_LEAST)


def scaled(prices: np.ndarray, amounts: np.ndarray, latency_ms: np.ndarray) -> np.ndarray:
    """``prices`` times the factor that predicts ``latency_ms`` with the smallest relative error."""
    ratio = amounts @ prices / latency_ms
    return prices * (ratio.sum() / (ratio @ ratio))


def set_prices(problem: Problem, index: int, chosen: np.ndarray, common: np.ndarray | None = None) -> np.ndarray:
    """(prices,) of one core set from the ``chosen`` networks (positions, repeated in a resample)."""
    if common is None:
        common = common_prices(problem, problem.alike(index), chosen)
    amounts, latency_ms = problem.amounts[chosen], problem.latency_ms[index][chosen]
    guess = scaled(common, amounts, latency_ms)
    return fit_prices(amounts, latency_ms, problem.least[index], guess, TOWARDS_COMMON)


def resamples(families: Sequence[str], number: int = BOOTSTRAP_SAMPLES) -> list[np.ndarray]:
    """Bootstrap samples, as positions of networks: whole families with replacement, because siblings are correlated."""
    names = list(dict.fromkeys(families))
    members = {name: [position for position, own in enumerate(families) if own == name] for name in names}
    generator = np.random.default_rng(SEED)
    return [
        np.array([position for name in generator.choice(names, len(names)) for position in members[name]])
        for _ in range(number)
    ]


def bootstrap_prices(problem: Problem, index: int, kept: np.ndarray, number: int = BOOTSTRAP_SAMPLES) -> np.ndarray:
    """Prices fitted to bootstrap samples of the families of the ``kept`` networks: shape (prices, samples)."""
    families = [problem.families[position] for position in kept]
    return np.array([set_prices(problem, index, kept[drawn]) for drawn in resamples(families, number)]).T
