"""A Gaussian process over designs: quality with its uncertainty, from a few dozen noisy results.

The kernel is linear plus Matérn 5/2 with a length scale per knob and cost (automatic relevance determination). The
hyperparameters are those of the highest posterior density; the priors say that most knobs matter little, and that the
noise is small beside the differences between designs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

# Of the logarithms of relevance per block, linear and Matérn variance, and noise variance, for results of variance 1:
# normal priors, (mean, standard deviation). Ours: two blocks at full distance are alike, the noise is a tenth.
RELEVANCE, LINEAR, MATERN, NOISE = (np.log(0.3), 1.5), (np.log(0.3), 1.5), (np.log(0.5), 1.0), (np.log(0.02), 1.5)
ITERATIONS = 40  # of L-BFGS, from the means of the priors
JITTER = 1e-6
ROOT5 = 5**0.5


@dataclass(frozen=True)
class Hyperparameters:
    """Logarithms: `(blocks + 3,)`, the relevance of each block, then linear, Matérn and noise variance."""

    logs: np.ndarray


class GaussianProcess:
    """Quality of designs, given results; ``hyperparameters`` are fitted to the results if not given.

    Args:
        rows: `(results, coordinates)`.
        block_of: `(coordinates,)`, whole numbers from 0: which coordinates share a length scale.
        quality: `(results,)`, in any unit; at least one.
    """

    def __init__(
        self,
        rows: np.ndarray,
        block_of: np.ndarray,
        quality: np.ndarray,
        hyperparameters: Hyperparameters | None = None,
    ) -> None:
        self._rows, self._block_of = rows, block_of
        self._centre, self._mean, self._scale = rows.mean(axis=0), quality.mean(), quality.std() or 1.0
        targets = (quality - self._mean) / self._scale
        self.hyperparameters = hyperparameters or _fitted(rows - self._centre, block_of, targets)
        kernel = self._kernel(rows, rows)
        kernel[np.diag_indices(len(rows))] += np.exp(self.hyperparameters.logs[-1]) + JITTER
        self._factor = cholesky(kernel, lower=True)
        self._weights = cho_solve((self._factor, True), targets)

    def predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the noise-free quality, `(designs,)` each, in the unit of the results."""
        across = self._kernel(rows, self._rows)
        deviation = np.sqrt(np.maximum(self._prior(rows) - self._known(across), JITTER))
        return self._mean + self._scale * (across @ self._weights), self._scale * deviation

    def unknown(self, rows: np.ndarray) -> np.ndarray:
        """Of the standard deviation that it would state without any result, the share that is left: 0 to 1."""
        prior = self._prior(rows)
        left = np.maximum(prior - self._known(self._kernel(rows, self._rows)), 0.0)
        return np.sqrt(left / prior)

    def _prior(self, rows: np.ndarray) -> np.ndarray:
        own = (rows - self._centre) ** 2
        return np.exp(self.hyperparameters.logs[-3]) * own.sum(axis=1) + np.exp(self.hyperparameters.logs[-2])

    def _known(self, across: np.ndarray) -> np.ndarray:
        """What the results take from the prior's variance; ``across`` is `(designs, results)`."""
        return (solve_triangular(self._factor, across.T, lower=True) ** 2).sum(axis=0)

    def _kernel(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        logs = self.hyperparameters.logs
        roots = np.exp(0.5 * logs[self._block_of])
        linear = (one - self._centre) @ (other - self._centre).T
        return np.exp(logs[-3]) * linear + np.exp(logs[-2]) * _matern(_squared(one * roots, other * roots))[0]


def _fitted(rows: np.ndarray, block_of: np.ndarray, targets: np.ndarray) -> Hyperparameters:
    """The hyperparameters of the highest posterior density; ``rows`` are centred, ``targets`` standardised."""
    means, deviations = priors(int(block_of.max()) + 1)
    bounds = list(zip(means - 5 * deviations, means + 5 * deviations, strict=True))
    found = minimize(
        negative_log_posterior,
        means,
        args=(rows, block_of, targets),
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": ITERATIONS},
    )
    return Hyperparameters(found.x)


def priors(blocks: int) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations of the hyperparameters' logarithms."""
    means, deviations = np.array([*[RELEVANCE] * blocks, LINEAR, MATERN, NOISE]).T
    return means, deviations


def negative_log_posterior(
    logs: np.ndarray, rows: np.ndarray, block_of: np.ndarray, targets: np.ndarray
) -> tuple[float, np.ndarray]:
    """Of hyperparameters, but for a constant, and its gradient: `(blocks + 3,)`."""
    blocks = len(logs) - 3
    means, deviations = priors(blocks)
    scaled, linear = rows * np.exp(0.5 * logs[block_of]), rows @ rows.T
    matern, slope = _matern(_squared(scaled, scaled))
    kernel = np.exp(logs[-3]) * linear + np.exp(logs[-2]) * matern
    kernel[np.diag_indices(len(rows))] += np.exp(logs[-1]) + JITTER
    factor = cholesky(kernel, lower=True)
    weights = cho_solve((factor, True), targets)
    lower, _ = dpotri(factor, lower=1)
    # Twice the derivative by the kernel; then that by squared distances, and by each coordinate's share of them.
    by_kernel = np.tril(lower) + np.tril(lower, -1).T - np.outer(weights, weights)
    by_distance = by_kernel * slope * np.exp(logs[-2])
    by_coordinate = by_distance.sum(axis=1) @ scaled**2 - (scaled * (by_distance @ scaled)).sum(axis=0)
    variances = [(by_kernel * part).sum() for part in (linear, matern)]
    gradient = np.array(
        [*np.bincount(block_of, by_coordinate, blocks), *(0.5 * np.exp(logs[-3:]) * [*variances, np.trace(by_kernel)])]
    )
    away = (logs - means) / deviations
    value = 0.5 * targets @ weights + np.log(np.diag(factor)).sum() + 0.5 * away @ away
    return float(value), gradient + away / deviations


def _squared(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Squared distances, `(one, other)`."""
    sums = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)[None, :]
    return np.maximum(sums - 2 * one @ other.T, 0)


def _matern(squared: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matérn 5/2 of squared distances, and its derivative by them."""
    distance = ROOT5 * np.sqrt(squared)
    decay = np.exp(-distance)
    return (1 + distance + 5 / 3 * squared) * decay, -5 / 6 * (1 + distance) * decay
