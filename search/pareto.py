"""Non-dominated sorting, and which rung a front is made of."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TypeVar

import numpy as np

from search.records import RunResult, TrialRecord

T = TypeVar("T")
ENOUGH_TRIALS = 8  # a rung that this many trials have completed makes a front
SEED_NOISE_DB = 0.045
"""A smaller difference between two networks says nothing: another seed may turn them round.

Measured on s-LWSR16 and its two ablations with an input skip, 400 steps, three seeds each: the standard deviation over
seeds is 0.016 dB, that of a difference of two networks 0.023 dB, and this is twice that
(``reports/published/seed-noise``)."""


def non_dominated_ranks(losses: np.ndarray) -> np.ndarray:
    """Rank of every point by non-dominated sorting; 0 is the front.

    A rank is one more than the worst rank among the points that dominate this one. One sort is enough: in the order of
    their coordinates no point is dominated by a later one.

    Args:
        losses: `(points, objectives)`, every column to be minimised, no NaN. Equal points share a rank.
    """
    losses = np.asarray(losses, dtype=float)
    if np.isnan(losses).any():
        raise ValueError("losses must not contain NaN")
    if not len(losses):
        return np.zeros(0, dtype=int)
    points, where = np.unique(losses, axis=0, return_inverse=True)  # sorted by the first column, then the second, ...
    ranks = _ranks_of_pairs(points) if points.shape[1] == 2 else _ranks_of_sorted(points)
    return ranks[where.reshape(-1)]


def _ranks_of_pairs(points: np.ndarray) -> np.ndarray:
    """As ``_ranks_of_sorted`` for two objectives: a front dominates a point if its last member does."""
    ranks = np.empty(len(points), dtype=int)
    least: list[float] = []  # of every front, the least second coordinate; these rise
    for index, second in enumerate(points[:, 1].tolist()):
        rank = bisect_right(least, second)
        least[rank : rank + 1] = [second]
        ranks[index] = rank
    return ranks


def _ranks_of_sorted(points: np.ndarray) -> np.ndarray:
    """Ranks of different points, sorted so that none is dominated by a later one."""
    ranks, others = np.zeros(len(points), dtype=int), np.ascontiguousarray(points[:, 1:].T)
    for index in range(1, len(points)):
        dominates = (others[:, :index] <= others[:, index, None]).all(axis=0)
        ranks[index] = ranks[:index][dominates].max(initial=-1) + 1
    return ranks


def losses_at_rung(trials: Sequence[TrialRecord], rung: int, objectives: Sequence[str]) -> np.ndarray:
    """`(trials, objectives)` to be minimised: PSNR negated, costs as they are; every trial must have the rung."""
    return np.array([[loss(trial, rung, name) for name in objectives] for trial in trials], dtype=float)


def loss(trial: TrialRecord, rung: int, objective: str) -> float:
    if objective != "psnr":
        return float(trial.cost(objective))
    reached = trial.at_rung(rung)
    if reached is None:
        raise ValueError(f"trial {trial.trial} has not reached rung {rung}")
    return -reached.psnr_db


def _once(function: Callable[[RunResult], T]) -> Callable[[RunResult], T]:
    """``function`` that keeps its answer with the run, which never changes: reports ask again for every network."""
    name = f"_{function.__name__}"

    @wraps(function)
    def kept(run: RunResult) -> T:
        known = vars(run)
        if name not in known:
            known[name] = function(run)
        return known[name]

    return kept


@_once
def front_rung(run: RunResult) -> int:
    """The highest rung that at least ``ENOUGH_TRIALS`` trials have completed, or all of them in a shorter run.

    Where none of them is clearly better than the baseline there, but some are higher up, the lowest rung at which one
    is: a network that learns slowly is not called worthless for what it had not learnt yet.
    """
    trained = [trial for trial in run.trials if trial.rungs]
    needed = min(ENOUGH_TRIALS, len(trained))
    counts = Counter(rung for trial in trained for rung in {result.rung for result in trial.rungs})
    rungs = range(len(run.settings.rungs))
    enough = max((rung for rung in rungs if counts[rung] >= needed), default=0)
    return next((rung for rung in rungs[enough:] if _has_gain(run, rung)), enough)


def _has_gain(run: RunResult, rung: int) -> bool:
    """Whether a network is better than the baseline by more than the seed noise at ``rung``; not if it is unknown."""
    reached = (trial.at_rung(rung) for trial in run.trials if trial.status == "trained")
    return any(result.psnr_db - run.baseline_psnr_db > SEED_NOISE_DB for result in reached if result is not None)


@_once
def front(run: RunResult) -> tuple[TrialRecord, ...]:
    """Trials on the front at ``front_rung``, cheapest first; fixed trials are included.

    The baseline, if known, counts as free: a network that is no better than it is not on the front, however cheap, and
    the front may be empty.
    """
    rung = front_rung(run)
    trials = [trial for trial in run.trials if trial.at_rung(rung) is not None and trial.status == "trained"]
    if not math.isnan(run.baseline_psnr_db):
        trials = [trial for trial in trials if -loss(trial, rung, "psnr") > run.baseline_psnr_db]
    if not trials:
        return ()
    ranks = non_dominated_ranks(losses_at_rung(trials, rung, run.settings.objectives))
    members = [trial for trial, rank in zip(trials, ranks, strict=True) if rank == 0]
    cost = run.settings.objectives[1] if len(run.settings.objectives) > 1 else "macs"
    return tuple(sorted(members, key=lambda trial: (loss(trial, rung, cost), trial.trial)))
