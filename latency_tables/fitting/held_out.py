"""How well a fit predicts unseen networks, and how wide its bands must be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from latency_tables.fitting.fit import Problem, bootstrap_prices, set_prices
from latency_tables.tables.estimate import DIFFERENCE_RESIDUAL
from latency_tables.tables.relatives import Z90

COVERAGE = 0.9


@dataclass(frozen=True)
class HeldOut:
    """Predictions for one core set, each network from a fit without its group; milliseconds, (networks,).

    ``relative_sd`` is the relative standard deviation over the bootstrap samples.
    """

    latency_ms: np.ndarray
    predicted_ms: np.ndarray
    relative_sd: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        """Relative errors; positive if the predicted latency is too high."""
        return self.predicted_ms / self.latency_ms - 1

    @property
    def mape(self) -> float:
        """Mean absolute percentage error."""
        return float(100 * np.abs(self.errors).mean())

    @property
    def spearman(self) -> float:
        return float(spearmanr(self.latency_ms, self.predicted_ms).statistic)


def leave_out(problem: Problem, index: int, groups: Sequence[str], samples: int = 0) -> HeldOut:
    """Predict each network of core set ``index`` from a fit without its group (its family, or only itself).

    The group is left out of the common prices too, on every core set.
    """
    predicted, spread = np.zeros(len(groups)), np.zeros(len(groups))
    for group in dict.fromkeys(groups):
        out = np.array([own == group for own in groups])
        kept = np.flatnonzero(~out)
        predicted[out] = problem.amounts[out] @ set_prices(problem, index, kept)
        if samples:
            drawn = problem.amounts[out] @ bootstrap_prices(problem, index, kept, samples)
            spread[out] = drawn.std(axis=1) / predicted[out]
    return HeldOut(problem.latency_ms[index], predicted, spread)


def residual_sd(held_out: HeldOut, families: Sequence[str]) -> float:
    """Relative standard deviation to add to that of the bootstrap samples for a 90 % coverage of held-out networks.

    All families have equal weight, since a user's network belongs to a family of its own.
    """
    missing = (np.log1p(held_out.errors) / Z90) ** 2 - held_out.relative_sd**2
    return float(np.sqrt(max(np.quantile(missing, COVERAGE, weights=_weights(families), method="inverted_cdf"), 0.0)))


def coverage(held_out: HeldOut, families: Sequence[str]) -> float:
    """Share of networks within their 90 % band, at equal weight per family, with the residual from other families."""
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


@dataclass(frozen=True)
class PairsHeldOut:
    """Pairs of networks of different families: shares, 0 to 1.

    ``in_band``: the true difference is within the 90 % band of the predicted one. ``tied``: the band contains 0.
    ``wrong_way``: among pairs that are not tied, the share predicted in the wrong order.
    """

    in_band: float
    tied: float
    wrong_way: float


def pairs_held_out(held_out: HeldOut, families: Sequence[str], drawn_ms: np.ndarray, closest: float) -> PairsHeldOut:
    """Evaluate the band of a difference (``tables.estimate.difference``) on pairs at most ``closest`` apart.

    ``drawn_ms`` is (networks, samples): predictions of the bootstrap samples. ``closest`` is the largest ratio of the
    two measured latencies. Networks of different families share almost no operators, so only errors common to the
    bootstrap samples cancel.
    """
    first, second = np.triu_indices(len(families), 1)
    measured, predicted = held_out.latency_ms, held_out.predicted_ms
    ratio = np.maximum(measured[first] / measured[second], measured[second] / measured[first])
    apart = np.array([families[a] != families[b] for a, b in zip(first.tolist(), second.tolist(), strict=True)])
    chosen = apart & (ratio <= closest)
    first, second = first[chosen], second[chosen]
    difference, truth = predicted[second] - predicted[first], measured[second] - measured[first]
    left_over = DIFFERENCE_RESIDUAL * residual_sd(held_out, families) * np.hypot(predicted[first], predicted[second])
    half = Z90 * np.hypot((drawn_ms[second] - drawn_ms[first]).std(axis=1), left_over)
    decided = np.abs(difference) > half
    wrong = decided & (difference * truth < 0)
    return PairsHeldOut(
        float((np.abs(difference - truth) <= half).mean()),
        float((~decided).mean()),
        float(wrong.sum() / max(1, decided.sum())),
    )
