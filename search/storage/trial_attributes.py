"""A trial's record in Optuna's storage: hidden attributes that hold it whole, short ones that a person looks for.

The record is a system attribute, which Optuna's dashboard does not list. Rungs after the first, and a failure on one of
them, are attributes of the study (``later-rungs/TRIAL``), because Optuna closes a trial once it is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from optuna.trial import FrozenTrial

from evaluators.quantities import quantities_of
from search.records import TrialRecord

RECORD, RESULT = "litefront:record", "litefront:result"  # attributes of a trial
LATER_RUNGS, FAILED = "later-rungs/", "failed/"  # and its number: attributes of the study
CHANGING = ("status", "reason", "rungs")  # of a record, once it is written
Direction = Literal["minimize", "maximize"]


def directions(objectives: Sequence[str]) -> list[Direction]:
    """PSNR is to grow; everything else is a cost."""
    return ["maximize" if name == "psnr" else "minimize" for name in objectives]


def metric_names(objectives: Sequence[str]) -> list[str]:
    """What the dashboard calls the objectives."""
    return ["PSNR dB, first rung" if name == "psnr" else name for name in objectives]


def short_attributes(record: TrialRecord) -> dict[str, Any]:
    """What a person looks for in a trial: source, key, costs, and PSNR by the steps of training."""
    quality = {f"psnr@{result.steps}": round(result.psnr_db, 3) for result in record.rungs}
    reason = {} if record.reason is None else {"reason": record.reason}
    costs = {each.column: round(each.of(record.costs), 3) for each in quantities_of(record.costs)}
    return {"source": record.source, "key": record.architecture.key, **costs, **quality, **reason}


def stored_record(trial: FrozenTrial) -> dict[str, Any] | None:
    """The record as the trial has it, if it has one."""
    first = trial.system_attrs.get(RECORD)
    return None if first is None else {**first, **trial.system_attrs.get(RESULT, {})}


def whole_record(number: int, stored: dict[str, Any], of_study: Mapping[str, Any]) -> TrialRecord:
    """``stored`` with what came after trial ``number`` was closed."""
    later, failure = of_study.get(f"{LATER_RUNGS}{number}", ()), of_study.get(f"{FAILED}{number}")
    changed = {} if failure is None else {"status": "failed", "reason": failure}
    return TrialRecord.from_dict({**stored, "trial": number, "rungs": [*stored["rungs"], *later], **changed})
