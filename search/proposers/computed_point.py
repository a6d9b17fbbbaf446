"""A point that a proposer computes itself, as a sampler of Optuna's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial

from space.knobs import Value

LARGEST_SEED = 2**32


class ComputedPoint(BaseSampler):
    """The sampler of one trial. Its point is computed when the first value is asked for: a queued trial asks for none.

    Args:
        compute: returns values under the samplers' names (``SearchSpace.parameters_of``); what is missing is random.
    """

    def __init__(self, compute: Callable[[], Mapping[str, Value]], seed: int) -> None:
        self._compute, self._others = compute, RandomSampler(seed % LARGEST_SEED)
        self._point: Mapping[str, Value] | None = None

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        if self._point is None:
            self._point = self._compute()
        if param_name in self._point:
            return self._point[param_name]
        return self._others.sample_independent(study, trial, param_name, param_distribution)
