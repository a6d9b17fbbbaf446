"""What a study says of designs: those with results, those that are being trained, and all that it knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, TrialState

from evaluators.costs import Costs
from search.storage.trial_attributes import stored_record
from space.search_space import Values

QUALITY = "psnr"  # the one objective that is not a cost


@dataclass(frozen=True)
class Result:
    """A trial of the search space; ``psnr_db`` is that of the first rung, NaN while it is trained.

    ``train_s`` are the first rung's seconds of training, 0 where nothing was trained.
    """

    trial: int
    key: str
    values: Values
    costs: Costs
    psnr_db: float
    train_s: float


@dataclass(frozen=True)
class Seen:
    """All that a study says at one time; ``told`` are in the order in which they were completed."""

    told: tuple[Result, ...]
    running: tuple[Result, ...]
    taken: frozenset[str]  # keys of all architectures that it knows


class Results:
    """Reads a study again and again, each finished trial once."""

    def __init__(self, objectives: Sequence[str]) -> None:
        self._quality = list(objectives).index(QUALITY)
        self._finished: set[int] = set()
        self._told: list[tuple[float, Result]] = []
        self._taken: set[str] = set()

    def seen(self, study: optuna.Study) -> Seen:
        running = []
        for trial in study.get_trials(deepcopy=False):
            if trial.number in self._finished or trial.state == TrialState.WAITING:
                continue
            result = self._result(trial)
            if result is not None:
                self._taken.add(result.key)
                if trial.state == TrialState.RUNNING:
                    running.append(result)
                elif trial.state == TrialState.COMPLETE and trial.datetime_complete is not None:
                    self._told.append((trial.datetime_complete.timestamp(), result))
            if trial.state.is_finished():
                self._finished.add(trial.number)
        self._told.sort(key=lambda pair: (pair[0], pair[1].trial))
        return Seen(tuple(result for _, result in self._told), tuple(running), frozenset(self._taken))

    def _result(self, trial: FrozenTrial) -> Result | None:
        """None of a trial that is not written down yet, or that lies outside the space."""
        stored = stored_record(trial)
        if stored is None or not trial.params:
            return None
        psnr_db = trial.values[self._quality] if trial.state == TrialState.COMPLETE else float("nan")
        costs = Costs.from_dict(stored["costs"])
        train_s = stored["rungs"][0]["train_s"] if stored["rungs"] else 0.0
        return Result(trial.number, trial.user_attrs["key"], stored["knobs"], costs, psnr_db, train_s)
