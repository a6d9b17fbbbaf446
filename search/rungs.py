"""The ladder of training rungs: its length, and which candidates are promoted.

Every candidate is trained for the first rung's steps; of those that have completed a rung, the better half by
non-dominated rank is promoted to the next (asynchronous successive halving, Li et al. 2018, with Pareto ranks). Only
results of the same rung are compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from search.pareto import losses_at_rung, non_dominated_ranks
from search.records import TrialRecord

LADDER = tuple(100 * 2**rung for rung in range(12))  # steps of training in all
REDUCTION = 2  # one in two goes on, as the steps double: every rung costs about the same in all
FINALISTS = 4  # searched networks that should reach the last rung, at least
FIXED_SHARE = 0.4  # of the time, at most, for the papers' trials
SAFETY = 1.15  # a job is begun only if its estimated time, times this, is left
DEFAULT_TOP = 800  # steps of the last rung where no time limit says otherwise


def fit_ladder(core_seconds: float, fixed_step_s: float, searched_step_s: float) -> tuple[int, ...]:
    """The longest ladder that fits the time.

    Args:
        core_seconds: total training time over all workers.
        fixed_step_s: seconds that one step of *every* fixed trial takes, added up.
        searched_step_s: seconds that one step of a searched network takes on average.
    """
    ladder = LADDER[:1]
    for top in range(1, len(LADDER)):
        # With half going on and steps doubling, FINALISTS at the top need this many at the bottom, and half of the
        # bottom's steps again on every further rung.
        begun = FINALISTS * REDUCTION**top
        searched_steps = begun * LADDER[0] * (1 + top / REDUCTION)
        if LADDER[top] * fixed_step_s > FIXED_SHARE * core_seconds:
            break
        if searched_steps * searched_step_s > (1 - FIXED_SHARE) * core_seconds:
            break
        ladder = LADDER[: top + 1]
    return ladder


def default_ladder() -> tuple[int, ...]:
    """The ladder of a run that is limited by ``--trials`` alone."""
    return tuple(steps for steps in LADDER if steps <= DEFAULT_TOP)


def ranked(
    trials: Sequence[TrialRecord], rung: int, objectives: Sequence[str], baseline_db: float = -np.inf
) -> list[TrialRecord]:
    """``trials`` that reached ``rung``, best first: by non-dominated rank, then by crowding distance.

    Those at or below ``baseline_db``, which costs nothing, come after all others.

    Within a front the one with the best PSNR comes first, then the least crowded; the cheapest gets no preference,
    or every run would train its smallest network longest.
    """
    losses = losses_at_rung(trials, rung, objectives)
    ranks = non_dominated_ranks(losses) + len(trials) * (losses[:, 0] >= -baseline_db)
    room = np.zeros(len(trials))
    for rank in set(ranks.tolist()):
        members = np.flatnonzero(ranks == rank)
        room[members] = _room(losses[members])
    return [trials[index] for index in np.lexsort((np.array([trial.trial for trial in trials]), -room, ranks))]


def _room(losses: np.ndarray) -> np.ndarray:
    """Crowding distance (Deb et al. 2002) in which only the best PSNR counts as an end."""
    room = np.zeros(len(losses))
    for column in range(losses.shape[1]):
        order = np.argsort(losses[:, column], kind="stable")
        values = losses[order, column]
        span = values[-1] - values[0] or 1.0
        room[order[1:-1]] += (values[2:] - values[:-2]) / span
    room[np.argmin(losses[:, 0])] = np.inf
    return room


def promotable(
    trials: Sequence[TrialRecord],
    rungs: Sequence[int],
    objectives: Sequence[str],
    busy: frozenset[int],
    at_least: int = 0,
    baseline_db: float = -np.inf,
) -> list[TrialRecord]:
    """Searched trials that may be promoted by one rung, those on the highest rung first.

    Args:
        trials: all trained trials, including fixed ones (which climb independently and take no one's place).
        busy: trials in training now.
        at_least: promote at least this many from every rung that has them, even if that is more than half; for the
            end of a run, when no new proposals follow.
        baseline_db: PSNR without a network; networks below it are promoted last.
    """
    climbing: list[TrialRecord] = []
    for rung in range(len(rungs) - 2, -1, -1):
        here = [trial for trial in trials if not (trial.is_fixed or trial.follows) and trial.at_rung(rung) is not None]
        gone = {trial.trial for trial in here if trial.at_rung(rung + 1) is not None or _is_climbing(trial, rung, busy)}
        allowed = max(len(here) // REDUCTION, min(at_least, len(here)))
        if allowed <= len(gone):
            continue  # nobody may follow, so nobody need be ranked
        best = ranked(here, rung, objectives, baseline_db)[:allowed]
        waiting = [trial for trial in best if trial.trial not in gone]
        climbing += waiting[: allowed - len(gone)]
    return climbing


def _is_climbing(trial: TrialRecord, rung: int, busy: frozenset[int]) -> bool:
    return trial.trial in busy and trial.next_rung == rung + 1


def next_fixed(trials: Sequence[TrialRecord], rungs: Sequence[int], busy: frozenset[int]) -> TrialRecord | None:
    """The first fixed trial that has not reached the last rung and is not being trained."""
    for trial in trials:
        if trial.is_fixed and trial.trial not in busy and trial.next_rung < len(rungs) and trial.status != "failed":
            return trial
    return None
