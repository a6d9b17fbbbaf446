"""A run's study as its samplers see it: without what was measured in an earlier generation of shared weights.

Samplers compare all values that a study has, and one network has other values in every generation.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any, cast

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from search.records import Status, TrialRecord

NEVER_MEASURED = (Status.OVER_BUDGET, Status.UNCOVERED)  # which is as true in every generation
NOTED_AS = "generation-{}/{}"  # of an attribute that a sampler gives the study: genetic ones number their populations


class _Visible:
    """The storage ``whole`` with the trials of one generation, by what ``records`` says of them."""

    def __init__(self, whole: BaseStorage, first_rung: int, records: Mapping[int, TrialRecord]) -> None:
        self._whole, self._first_rung, self._records = whole, first_rung, records

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole, name)

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        trials = self._whole.get_all_trials(study_id, deepcopy=deepcopy, states=states)
        return [trial for trial in trials if self._is_visible(self._records.get(trial.number))]

    def _is_visible(self, record: TrialRecord | None) -> bool:
        return record is None or record.first_rung == self._first_rung or record.status in NEVER_MEASURED

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        prefix = NOTED_AS.format(self._first_rung, "")
        whole = self._whole.get_study_system_attrs(study_id)
        return {name.removeprefix(prefix): value for name, value in whole.items() if name.startswith(prefix)}

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        self._whole.set_study_system_attr(study_id, NOTED_AS.format(self._first_rung, key), value)


def generation_view(study: optuna.Study, first_rung: int, records: Mapping[int, TrialRecord]) -> optuna.Study:
    """``study`` for the samplers of the generation that begins on ``first_rung``: what is written to it is written to
    ``study``, with the numbers of its trials. ``records`` may change."""
    storage = cast(BaseStorage, _Visible(study._storage, first_rung, records))
    return optuna.Study(study.study_name, storage)
