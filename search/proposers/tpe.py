"""Optuna's multivariate TPE, quick with thousands of trials: the same proposals, without asking every trial again.

For every group of knobs Optuna splits all trials into good and bad, and reads all their parameters; and it derives the
groups from all trials at every proposal. Here a proposal splits them once, and what finished trials say, which never
changes, is kept in columns.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import RandomSampler, TPESampler
from optuna.samplers._lazy_random_state import LazyRandomState
from optuna.samplers._tpe.sampler import _split_trials, default_gamma, default_gamma_multiobjective
from optuna.search_space.group_decomposed import _GroupDecomposedSearchSpace, _SearchSpaceGroup
from optuna.trial import FrozenTrial, TrialState

LEARNT_FROM = (TrialState.COMPLETE, TrialState.PRUNED)


class _Side(NamedTuple):
    """The good trials of a study, or the others: their numbers in order, and those that still run, by position."""

    numbers: np.ndarray
    running: tuple[tuple[int, FrozenTrial], ...]


class GroupedTPE(TPESampler):
    """Multivariate TPE with a model per group of knobs that apply together, for one study and one process.

    ``reseed`` makes the next proposal that of a new sampler with that seed.
    """

    def __init__(self, seed: int, n_startup_trials: int) -> None:
        # Constant liar: several workers ask at once.
        super().__init__(
            seed=seed, multivariate=True, group=True, constant_liar=True, n_startup_trials=n_startup_trials
        )
        self._group_decomposed_search_space = _Groups()
        self._columns = _Columns()
        self._split: tuple[int, _Side, _Side] | None = None  # for the proposal with this number

    def reseed(self, seed: int) -> None:
        self._rng, self._random_sampler, self._split = LazyRandomState(seed), RandomSampler(seed=seed), None

    def _sample(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        if self._split is None or self._split[0] != trial.number:
            self._split = (trial.number, *self._good_and_others(study, trial.number))
        _, good, others = self._split
        likely = self._build_parzen_estimator(study, search_space, good, handle_below=True)  # type: ignore[arg-type]
        unlikely = self._build_parzen_estimator(study, search_space, others, handle_below=False)  # type: ignore[arg-type]
        candidates = likely.sample(self._rng.rng, self._n_ei_candidates)
        best = self._compare(candidates, self._compute_acquisition_func(candidates, likely, unlikely))
        return {name: kind.to_external_repr(best[name]) for name, kind in search_space.items()}

    def _good_and_others(self, study: optuna.Study, number: int) -> tuple[_Side, _Side]:
        known = study._get_trials(deepcopy=False, states=(*LEARNT_FROM, TrialState.RUNNING), use_cache=False)
        known = [trial for trial in known if trial.number != number]
        count = sum(trial.state != TrialState.RUNNING for trial in known)
        share = default_gamma if len(study.directions) == 1 else default_gamma_multiobjective
        good, others = (self._side(trials) for trials in _split_trials(study, known, share(count)))
        return good, others

    def _side(self, trials: list[FrozenTrial]) -> _Side:
        for trial in trials:
            self._columns.keep(trial)
        running = ((index, trial) for index, trial in enumerate(trials) if not trial.state.is_finished())
        return _Side(np.array([trial.number for trial in trials], dtype=int), tuple(running))

    def _get_internal_repr(  # type: ignore[override]  # sides instead of lists of trials
        self, trials: _Side, search_space: dict[str, BaseDistribution], study: optuna.Study
    ) -> dict[str, np.ndarray]:
        rows = self._columns.of(search_space, trials.numbers)
        for index, trial in trials.running:
            params = self._get_params(trial, study)
            if search_space.keys() <= params.keys():
                rows[:, index] = [kind.to_internal_repr(params[name]) for name, kind in search_space.items()]
        rows = rows[:, ~np.isnan(rows).any(axis=0)]
        return dict(zip(search_space, rows, strict=True))


class _Groups(_GroupDecomposedSearchSpace):
    """Groups of parameters that come together; trials with the same parameters say nothing new."""

    def __init__(self) -> None:
        super().__init__(include_pruned=True)
        self._seen: set[frozenset[str]] = set()
        self._done: set[int] = set()

    def calculate(self, study: optuna.Study, use_cache: bool = False) -> _SearchSpaceGroup:
        for trial in study._get_trials(deepcopy=False, states=LEARNT_FROM, use_cache=use_cache):
            if trial.number in self._done:
                continue
            self._done.add(trial.number)
            names = frozenset(trial.distributions)
            if names not in self._seen:
                self._seen.add(names)
                self._search_space.add_distributions(trial.distributions)
        return self._search_space


class _Columns:
    """Parameters of finished trials as Optuna's models count them: a column per parameter, a row per trial number, NaN
    where a trial has none."""

    def __init__(self) -> None:
        self._columns: dict[str, np.ndarray] = {}
        self._rows = 0
        self._kept: set[int] = set()

    def keep(self, trial: FrozenTrial) -> None:
        """Write down a trial that is finished, once."""
        if trial.number in self._kept or not trial.state.is_finished():
            return
        self._kept.add(trial.number)
        if trial.number >= self._rows:
            self._rows = max(1024, 2 * trial.number)
            for name, column in self._columns.items():
                self._columns[name] = np.append(column, np.full(self._rows - len(column), np.nan))
        for name, value in trial.params.items():
            column = self._columns.setdefault(name, np.full(self._rows, np.nan))
            column[trial.number] = trial.distributions[name].to_internal_repr(value)

    def of(self, names: Iterable[str], numbers: np.ndarray) -> np.ndarray:
        """`(names, numbers)`, NaN where a trial was not kept."""
        missing = np.full(self._rows or 1 + numbers.max(initial=0), np.nan)
        columns = [self._columns.get(name, missing) for name in names]
        return np.stack([np.where(numbers < len(c), c[np.minimum(numbers, len(c) - 1)], np.nan) for c in columns])
