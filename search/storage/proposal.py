"""A trial that was asked for, before its network is written down."""

from __future__ import annotations

from typing import Any

import optuna

from search.proposers.suggest import suggest
from search.storage.trial_attributes import RECORD
from space.knobs import Value
from space.search_space import Parameter


class Proposal:
    """A new trial: a published network with its record, or a free one whose knobs are still to be chosen."""

    def __init__(self, trial: optuna.trial.Trial) -> None:
        self.number = trial.number
        self._trial = trial

    @property
    def fixed_record(self) -> dict[str, Any] | None:
        attributes = self._trial.storage.get_trial_system_attrs(self._trial._trial_id)
        return attributes.get(RECORD)

    def choose(self, parameter: Parameter) -> Value:
        return suggest(self._trial, parameter)
