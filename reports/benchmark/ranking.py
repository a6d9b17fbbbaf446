"""How a cheap signal ranks designs against what they reach in the end."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import bootstrap, kendalltau

from reports.benchmark.table import Signal

FEWEST = 5  # designs, below which no rank correlation is told
TOP = 8
RESAMPLES = 999
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ranking:
    """``tau`` is Kendall's tau-b over ``designs`` designs; ``low`` and ``high`` are its 95 % bootstrap interval.

    ``overlap`` of the ``TOP`` best designs are among the ``TOP`` best by the signal; by chance ``by_chance`` would be.
    ``regret_db`` is what the best of all is above the best of those that the signal puts in its ``TOP``.
    """

    signal: Signal
    designs: int
    tau: float
    low: float
    high: float
    overlap: int
    by_chance: float
    regret_db: float


def ranked(signal: Signal, reference: Mapping[str, float], seed: int = 0) -> Ranking | None:
    """``signal`` against ``reference``, PSNR in dB by design, over the designs that have both; None of too few.

    Designs are drawn with replacement for the interval, with random numbers of ``seed``.
    """
    names = [name for name in reference if np.isfinite(signal.values.get(name, np.nan))]
    if len(names) < FEWEST:
        return None
    cheap = np.array([signal.values[name] for name in names])
    dear = np.array([reference[name] for name in names])
    tau = _tau(cheap, dear)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a sample of one design several times has no tau, and does not count
        taus = bootstrap(
            (cheap, dear),
            _tau,
            paired=True,
            vectorized=False,
            n_resamples=RESAMPLES,
            method="percentile",
            rng=np.random.default_rng(seed),
        ).bootstrap_distribution
    low, high = np.nanpercentile(taus, [50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE)]).tolist()
    chosen, best = _top(cheap), _top(dear)
    count = min(TOP, len(names))
    return Ranking(
        signal,
        len(names),
        tau,
        low,
        high,
        len(chosen & best),
        count * count / len(names),
        float(dear.max() - max(dear[index] for index in chosen)),
    )


def _tau(cheap: np.ndarray, dear: np.ndarray) -> float:
    return float(kendalltau(cheap, dear).statistic)


def _top(values: np.ndarray) -> set[int]:
    return set(np.argsort(-values, kind="stable")[:TOP].tolist())
