"""How well a fit predicts networks that it has not seen, and how wide its bands must be to be honest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from latency_tables.estimate import Z90
from latency_tables.published.fit import Problem, draw_prices, set_prices

COVERAGE = 0.9


@dataclass(frozen=True)
class HeldOut:
    """Predictions for one core set, each network from a fit without its group; milliseconds, (networks,).

    ``relative_sd`` is what the resampled fits differ by.
    """

    latency_ms: np.ndarray
    predicted_ms: np.ndarray
    relative_sd: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """Relative; above 0 where too slow a network is predicted."""
        return self.predicted_ms / self.latency_ms - 1

    @property
    def mape(self) -> float:
        """Mean absolute percentage error."""
        return float(100 * np.abs(self.errors).mean())

    @property
    def spearman(self) -> float:
        return float(spearmanr(self.latency_ms, self.predicted_ms).statistic)


def leave_out(problem: Problem, index: int, groups: Sequence[str], draws: int = 0) -> HeldOut:
    """Each network of core set ``index`` predicted without those of its group (its family; or its own name).

    They are left out of the common prices too, on every core set.
    """
    predicted, spread = np.zeros(len(groups)), np.zeros(len(groups))
    for group in dict.fromkeys(groups):
        out = np.array([own == group for own in groups])
        kept = np.flatnonzero(~out)
        predicted[out] = problem.amounts[out] @ set_prices(problem, index, kept)
        if draws:
            drawn = problem.amounts[out] @ draw_prices(problem, index, kept, draws)
            spread[out] = drawn.std(axis=1) / predicted[out]
    return HeldOut(problem.latency_ms[index], predicted, spread)


def residual_sd(held_out: HeldOut, families: Sequence[str]) -> float:
    """Relative standard deviation to add to that of the draws so that 90 % of held-out networks lie in their band.

    Every family counts the same: a user's network is of a family of its own.
    """
    missing = (np.log1p(held_out.errors) / Z90) ** 2 - held_out.relative_sd**2
    return float(np.sqrt(max(np.quantile(missing, COVERAGE, weights=_weights(families), method="inverted_cdf"), 0.0)))


def coverage(held_out: HeldOut, families: Sequence[str]) -> float:
    """Share of networks within their 90 % band, families counting the same, the residual from other families only."""
    within = np.zeros(len(families))
    for name in dict.fromkeys(families):
        out = np.array([own == name for own in families])
        others = [own for own in families if own != name]
        sd = np.hypot(held_out.relative_sd, residual_sd(_part(held_out, ~out), others))
        within[out] = (np.abs(np.log1p(held_out.errors)) <= Z90 * sd)[out]
    return float(np.average(within, weights=_weights(families)))


def _weights(families: Sequence[str]) -> np.ndarray:
    sizes = Counter(families)
    return np.array([1 / sizes[name] for name in families])


def _part(held_out: HeldOut, chosen: np.ndarray) -> HeldOut:
    return HeldOut(held_out.latency_ms[chosen], held_out.predicted_ms[chosen], held_out.relative_sd[chosen])
