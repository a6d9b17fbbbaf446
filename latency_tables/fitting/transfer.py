"""How well a core that nobody measured is predicted from other cores' prices and a few networks timed on it.

Everything of the core's own device is left out; the few networks are drawn at random; the error is that of the others.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from latency_tables.fitting.fit import TOWARDS_COMMON, Problem, common_prices, fit_prices, scaled, set_prices

SEED = 5


def _transfer_error(problem: Problem, target: int, start: np.ndarray, timed: np.ndarray, refit: bool) -> float:
    """Mean absolute percentage error on the networks that are not ``timed`` (positions) on core set ``target``.

    ``start`` are the prices of another core, which get one scale, and if ``refit`` are then fitted to the timings.
    """
    amounts, latency_ms = problem.amounts, problem.latency_ms[target]
    prices = scaled(start, amounts[timed], latency_ms[timed])
    if refit:
        least = problem.least[target]
        prices = fit_prices(amounts[timed], latency_ms[timed], least, prices, TOWARDS_COMMON)
    others = np.setdiff1d(np.arange(len(latency_ms)), timed)
    return float(100 * np.abs(amounts[others] @ prices / latency_ms[others] - 1).mean())


def other_devices(problem: Problem, target: int) -> list[int]:
    """Core sets of other devices of the target's dtype, one thread if it has one, several if several."""
    device = problem.core_sets[target].device
    return [index for index in problem.alike(target) if problem.core_sets[index].device != device]


def from_one_core(problem: Problem, target: int, base: int, number: int, refit: bool, repeats: int) -> float:
    """Mean ``_transfer_error`` over random choices of ``number`` timed networks, starting from core set ``base``."""
    everything = np.arange(len(problem.networks))
    start = set_prices(problem, base, everything)
    return _mean_error(problem, target, start, number, refit, repeats)


def from_common(problem: Problem, target: int, number: int, refit: bool, repeats: int) -> float:
    """The same, starting from what the cores of all other devices have in common."""
    start = common_prices(problem, other_devices(problem, target), np.arange(len(problem.networks)))
    return _mean_error(problem, target, start, number, refit, repeats)


def _mean_error(problem: Problem, target: int, start: np.ndarray, number: int, refit: bool, repeats: int) -> float:
    return float(
        np.mean(
            [
                _transfer_error(problem, target, start, timed, refit)
                for timed in _choices(problem.networks, number, repeats)
            ]
        )
    )


def _choices(networks: Sequence[str], number: int, repeats: int) -> list[np.ndarray]:
    generator = np.random.default_rng(SEED)
    return [generator.choice(len(networks), number, replace=False) for _ in range(repeats)]
