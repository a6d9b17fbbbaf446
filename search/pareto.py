"""Non-dominated sorting, and which rung a front is made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search.records import RunResult, TrialRecord

ENOUGH_TRIALS = 8  # a rung that this many trials have completed makes a front


def non_dominated_ranks(losses: np.ndarray) -> np.ndarray:
    """Rank of every point by non-dominated sorting; 0 is the front.

    Args:
        losses: `(points, objectives)`, every column to be minimised, no NaN. Equal points share a rank.
    """
    losses = np.asarray(losses, dtype=float)
    if np.isnan(losses).any():
        raise ValueError("losses must not contain NaN")
    ranks = np.full(len(losses), -1)
    remaining = np.arange(len(losses))
    rank = 0
    while len(remaining):
        points = losses[remaining]
        no_worse = (points[:, None, :] <= points[None, :, :]).all(axis=2)
        better = (points[:, None, :] < points[None, :, :]).any(axis=2)
        dominated = (no_worse & better).any(axis=0)
        ranks[remaining[~dominated]] = rank
        remaining = remaining[dominated]
        rank += 1
    return ranks


def losses_at_rung(trials: Sequence[TrialRecord], rung: int, objectives: Sequence[str]) -> np.ndarray:
    """`(trials, objectives)` to be minimised: PSNR negated, costs as they are; every trial must have the rung."""
    return np.array([[loss(trial, rung, name) for name in objectives] for trial in trials], dtype=float)


def loss(trial: TrialRecord, rung: int, objective: str) -> float:
    if objective == "psnr":
        return -trial.at_rung(rung).psnr_db
    return float(trial.cost(objective))


def front_rung(run: RunResult) -> int:
    """The highest rung that at least ``ENOUGH_TRIALS`` trials have completed, or all of them in a shorter run."""
    trained = [trial for trial in run.trials if trial.rungs]
    needed = min(ENOUGH_TRIALS, len(trained))
    reached = [
        rung for rung in range(len(run.settings.rungs)) if sum(t.at_rung(rung) is not None for t in trained) >= needed
    ]
    return max(reached, default=0)


def front(run: RunResult) -> tuple[TrialRecord, ...]:
    """Trials on the front at ``front_rung``, cheapest first; fixed trials take part like any other.

    The baseline costs nothing, so that a network below it is not on the front, however cheap; unless all are below.
    """
    rung = front_rung(run)
    trials = [trial for trial in run.trials if trial.at_rung(rung) is not None and trial.status == "trained"]
    if not trials:
        return ()
    trials = [trial for trial in trials if trial.at_rung(rung).psnr_db > run.baseline_psnr_db] or trials
    ranks = non_dominated_ranks(losses_at_rung(trials, rung, run.settings.objectives))
    members = [trial for trial, rank in zip(trials, ranks, strict=True) if rank == 0]
    cost = run.settings.objectives[1] if len(run.settings.objectives) > 1 else "macs"
    return tuple(sorted(members, key=lambda trial: (loss(trial, rung, cost), trial.trial)))
