"""Optuna's journal read quickly: a run of thousands of trials opens in a second or two.

Optuna parses every line and every distribution by itself, and copies a trial for every line that changes it. Here lines
are parsed by the thousand, equal distributions once, and a trial that nobody else has seen yet is changed in place.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from optuna.distributions import BaseDistribution, check_distribution_compatibility, json_to_distribution
from optuna.storages import JournalStorage
from optuna.storages.journal import BaseJournalBackend
from optuna.storages.journal._storage import JournalOperation, JournalStorageReplayResult

AT_ONCE = 2_000  # lines
PARAMETER = int(JournalOperation.SET_TRIAL_PARAM)
USER_ATTRIBUTE = int(JournalOperation.SET_TRIAL_USER_ATTR)
SYSTEM_ATTRIBUTE = int(JournalOperation.SET_TRIAL_SYSTEM_ATTR)


class DamagedLineError(ValueError):
    """Line ``number``, from 1, of those given is not one JSON object."""

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number} is not one JSON object")
        self.number = number


def parsed(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    """Every line as the JSON object that it is.

    Raises:
        DamagedLineError: one is not; those before it have been given.
    """
    for begin in range(0, len(lines), AT_ONCE):
        chunk = lines[begin : begin + AT_ONCE]
        try:
            logs = json.loads(b"[" + b",".join(chunk) + b"]")
        except (ValueError, RecursionError):
            logs = []
        if len(logs) == len(chunk) and all(isinstance(log, dict) for log in logs):
            yield from logs
            continue
        for number, line in enumerate(chunk, start=begin + 1):
            log = _object(line)
            if log is None:
                raise DamagedLineError(number)
            yield log


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        log = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return log if isinstance(log, dict) else None


class QuickStorage(JournalStorage):
    """Optuna's journal storage with a quicker ``_Replay``."""

    def __init__(self, backend: BaseJournalBackend) -> None:
        super().__init__(_NoLines())
        self._backend = backend
        self._replay_result = _Replay(self._worker_id_prefix)
        with self._thread_lock:
            self._sync_with_backend()


class _NoLines(BaseJournalBackend):
    def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
        return ()

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        raise AssertionError("nothing is written before the journal is there")


class _Replay(JournalStorageReplayResult):
    """The same trials as Optuna's own replay; lines of this process change copies, as there."""

    def __init__(self, worker_id_prefix: str) -> None:
        super().__init__(worker_id_prefix)
        self._first: dict[tuple[int, str], BaseDistribution] = {}  # of a study's parameter, as it came first

    def apply_logs(self, logs: Iterable[dict[str, Any]]) -> None:
        quick = {
            PARAMETER: self._apply_set_trial_param,
            USER_ATTRIBUTE: self._apply_set_trial_user_attr,
            SYSTEM_ATTRIBUTE: self._apply_set_trial_system_attr,
        }
        for log in logs:
            apply = quick.get(log["op_code"])
            if apply is not None:  # nine lines in ten
                self.log_number_read += 1
                apply(log)
            else:
                super().apply_logs((log,))

    def _is_issued_by_this_worker(self, log: dict[str, Any]) -> bool:
        return log["worker_id"].startswith(self._worker_id_prefix) and super()._is_issued_by_this_worker(log)

    def _apply_set_trial_param(self, log: dict[str, Any]) -> None:
        trial_id, name = log["trial_id"], log["param_name"]
        if self._is_issued_by_this_worker(log) or not self._trial_exists_and_updatable(trial_id, log):
            super()._apply_set_trial_param(log)
            return
        distribution = _distribution(log["distribution"])
        first = self._first.setdefault((self._trial_id_to_study_id[trial_id], name), distribution)
        if first is not distribution:
            try:
                check_distribution_compatibility(first, distribution)
            except ValueError:
                return
        trial = self._trials[trial_id]
        trial.params[name] = distribution.to_external_repr(log["param_value_internal"])
        trial.distributions[name] = distribution

    def _apply_set_trial_user_attr(self, log: dict[str, Any]) -> None:
        if self._is_issued_by_this_worker(log) or not self._trial_exists_and_updatable(log["trial_id"], log):
            super()._apply_set_trial_user_attr(log)
        else:
            self._trials[log["trial_id"]].user_attrs.update(log["user_attr"])

    def _apply_set_trial_system_attr(self, log: dict[str, Any]) -> None:
        if self._is_issued_by_this_worker(log) or not self._trial_exists_and_updatable(log["trial_id"], log):
            super()._apply_set_trial_system_attr(log)
        else:
            self._trials[log["trial_id"]].system_attrs.update(log["system_attr"])

    def _apply_set_study_user_attr(self, log: dict[str, Any]) -> None:
        if self._is_issued_by_this_worker(log) or not self._study_exists(log["study_id"], log):
            super()._apply_set_study_user_attr(log)
        else:
            self._studies[log["study_id"]].user_attrs.update(log["user_attr"])


@lru_cache(maxsize=4096)
def _distribution(text: str) -> BaseDistribution:
    return json_to_distribution(text)
