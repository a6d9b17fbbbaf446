"""Optuna's samplers as proposers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import optuna
from optuna.samplers import BaseSampler

from search.candidates.screening import Screen
from search.proposers.tpe import GroupedTPE

# Random proposals before a model is trusted: fixed trials count towards them.
STARTUP_TRIALS = 12
LARGEST_SEED = 2**32


@dataclass(frozen=True)
class OptunaProposer:
    """A new sampler for each trial, with its seed: all that these samplers know is in the study."""

    make: Callable[[int], BaseSampler]

    def sampler(self, study: optuna.Study, screen: Screen, seed: int) -> BaseSampler:
        return self.make(seed % LARGEST_SEED)


@dataclass
class GroupedTPEProposer:
    """One sampler for all trials, seeded anew for each: it keeps what finished trials say."""

    _known: GroupedTPE = field(default_factory=lambda: GroupedTPE(0, STARTUP_TRIALS))

    def sampler(self, study: optuna.Study, screen: Screen, seed: int) -> BaseSampler:
        self._known.reseed(seed % LARGEST_SEED)
        return self._known


def nsga2() -> OptunaProposer:
    return OptunaProposer(lambda seed: optuna.samplers.NSGAIISampler(seed=seed, population_size=20))


def nsga3() -> OptunaProposer:
    return OptunaProposer(lambda seed: optuna.samplers.NSGAIIISampler(seed=seed, population_size=20))


def gp() -> OptunaProposer:
    return OptunaProposer(lambda seed: optuna.samplers.GPSampler(seed=seed, n_startup_trials=STARTUP_TRIALS))


def random() -> OptunaProposer:
    return OptunaProposer(lambda seed: optuna.samplers.RandomSampler(seed=seed))
