"""The run in Optuna's storage: the only truth about every trial.

A trial is told when its first rung is done: its values are those of the first rung, which every trial has, so that
the sampler compares like with like. Later rungs are attributes of the study (``later-rungs/TRIAL``), because Optuna
closes a trial once it is told. Over-budget candidates and duplicates are told as PRUNED with their constraints, as are
published networks outside the search space; their results are in their records.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from search.budget import Budget
from search.journal import JOURNAL, repair, storage, whole_bytes
from search.records import RECORD_VERSION, RungResult, RunSettings, TrialRecord
from search.samplers import choose, sampler
from space.errors import UserError
from space.knobs import Knob, Value
from space.os_errors import first_line

NAME = "litefront"
DIRECTIONS = {"psnr": "maximize"}  # everything else is a cost
TOLD_AS = {"over-budget": TrialState.PRUNED, "duplicate": TrialState.PRUNED, "failed": TrialState.FAIL}

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


class Proposal:
    """A trial that was just asked for: a paper's point with its record, or a free one whose knobs are to be chosen."""

    def __init__(self, trial: optuna.trial.Trial) -> None:
        self.number = trial.number
        self._trial = trial

    @property
    def fixed_record(self) -> dict[str, Any] | None:
        return self._trial.user_attrs.get("record")

    def choose(self, knob: Knob) -> Value:
        return choose(self._trial, knob)


class Study:
    """One run's trials and notes, in the journal of its folder."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._open: dict[int, optuna.trial.Trial] = {}
        self.records: dict[int, TrialRecord] = {}
        notes = study.user_attrs
        self.settings = RunSettings.from_dict(notes["settings"])
        for trial in study.get_trials(deepcopy=False):
            if "record" in trial.user_attrs and trial.state != TrialState.WAITING:
                self.records[trial.number] = _with_later_results(trial, notes)

    @classmethod
    def create(cls, folder: Path, settings: RunSettings) -> Study:
        study = optuna.create_study(
            study_name=NAME,
            storage=storage(folder / JOURNAL),
            load_if_exists=True,
            directions=[DIRECTIONS.get(name, "minimize") for name in settings.objectives],
        )
        study.set_user_attr("settings", settings.to_dict())
        return cls(study)

    @classmethod
    def open(cls, folder: Path, owned: bool) -> Study | None:
        """The run in ``folder``; None where none was begun.

        Args:
            owned: whether the caller owns the folder (``journal.own``): only then is what a kill left mended.

        Raises:
            UserError: the journal is damaged, or was written by an incompatible version.
        """
        path = folder / JOURNAL
        if not path.exists():
            return None
        if owned:
            repair(path)
        if not whole_bytes(path, path.read_bytes()):
            return None  # ended before its first line was written
        try:
            study = optuna.load_study(study_name=NAME, storage=storage(path))
        except Exception as error:  # Optuna does not say of what kind a line is that it cannot replay
            raise _unreadable(path, error) from error
        if "settings" not in study.user_attrs:
            if study.get_trials(deepcopy=False):
                raise _unreadable(path, "trials, and nothing of what was asked for")
            return None
        version = study.user_attrs["settings"].get("version")
        if version != RECORD_VERSION:
            raise UserError(
                f"run {folder} must have record version {RECORD_VERSION}, got {version}; use --run-dir for a new run"
            )
        try:
            opened = cls(study)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise _unreadable(path, error) from error
        if owned:
            opened._finish_interrupted()
        return opened

    def _finish_interrupted(self) -> None:
        """Close what a kill left open; trials whose training was interrupted stay open, to be trained."""
        for frozen in self._study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            trial = optuna.trial.Trial(self._study, frozen._trial_id)
            self._open[frozen.number] = trial
            record = self.records.get(frozen.number)
            if record is None:
                self._study.tell(self._open.pop(frozen.number), state=TrialState.FAIL)
            elif record.rungs:
                self._tell(record)
            elif record.status in TOLD_AS:
                self._study.tell(self._open.pop(frozen.number), state=TOLD_AS[record.status])

    # Notes about the whole run.

    def note(self, name: str, value: Any) -> None:
        """Remember ``value`` (JSON) under ``name``."""
        self._study.set_user_attr(name, value)

    def noted(self, name: str, default: Any = None) -> Any:
        return self._study.user_attrs.get(name, default)

    def extend(self, rungs: tuple[int, ...]) -> None:
        """Make the ladder longer; the rungs that exist stay."""
        self.settings = replace(self.settings, rungs=rungs)
        self._study.set_user_attr("settings", self.settings.to_dict())

    # Proposing.

    def enqueue(self, record: TrialRecord, parameters: Mapping[str, Any]) -> None:
        """Queue a paper's configuration; ``parameters`` are those of its knobs that lie on the grid."""
        self._study.enqueue_trial(dict(parameters), user_attrs={"record": record.to_dict()})

    def enqueue_knobs(self, parameters: Mapping[str, Any]) -> None:
        """Queue a point of the search space; it is then treated like a proposal of the sampler."""
        self._study.enqueue_trial(dict(parameters), skip_if_exists=True)

    def sources(self) -> set[str]:
        """Names of the fixed trials in the storage, queued ones too."""
        trials = self._study.get_trials(deepcopy=False)
        return {trial.user_attrs["record"]["source"] for trial in trials if "record" in trial.user_attrs}

    def ask(self) -> Proposal:
        """The next trial: a fixed one while any is queued, else a proposal of the sampler.

        The sampler is seeded anew by the run's seed and the trial's number, so that a continued run goes on as an
        uninterrupted one would.
        """
        number = len(self._study.get_trials(deepcopy=False))
        self._study.sampler = sampler(self.settings.sampler, self.settings.seed * 1_000_003 + number)
        trial = self._study.ask()
        self._open[trial.number] = trial
        return Proposal(trial)

    def interrupted(self, trial: int) -> Proposal:
        """A trial that a kill left without a result, once more."""
        return Proposal(self._open[trial])

    def start(self, record: TrialRecord, budget: Budget) -> None:
        """Write down a trial and its constraints before anything dear is spent on it."""
        trial = self._open[record.trial]
        for limit in budget.limits:
            if not record.costs.has(limit.quantity):
                continue  # no table could price it: it is closed as failed
            if limit.quantity in trial.constraints:
                continue  # written before a kill
            trial.set_constraint(limit.quantity, limit.excess(record.costs))
        self._save(record)

    # Results.

    def reject(self, record: TrialRecord, budget: Budget) -> None:
        """Write down and close a trial that is not trained: ``over-budget``, ``duplicate``, or ``failed``."""
        self.start(record, budget)
        self._study.tell(self._open.pop(record.trial), state=TOLD_AS[record.status])

    def fail(self, trial: int, reason: str) -> None:
        """Close a trial that broke in training; its results on earlier rungs stay."""
        record = replace(self.records[trial], status="failed", reason=reason)
        if trial in self._open:
            self._save(record)
            self._study.tell(self._open.pop(trial), state=TrialState.FAIL)
        else:
            self.records[trial] = record
            self._study.set_user_attr(f"failed/{trial}", reason)

    def add_result(self, trial: int, result: RungResult) -> None:
        """Add a completed rung; durable when this returns."""
        record = self.records[trial]
        record = replace(record, status="trained", rungs=(*record.rungs, result))
        if trial in self._open:
            self._save(record)
            self._tell(record)
        else:
            self.records[trial] = record
            self._study.set_user_attr(f"later-rungs/{trial}", [later.to_dict() for later in record.rungs[1:]])

    def _tell(self, record: TrialRecord) -> None:
        """Tell the values of the first rung; not of a network outside the space, for nothing can be learned from it.

        As a complete trial without parameters it would leave NSGA and GP no parameter that all trials have.
        """
        if not self._open[record.trial].params:
            self._study.tell(self._open.pop(record.trial), state=TrialState.PRUNED)
            return
        first = record.rungs[0]
        values = [first.psnr_db if name == "psnr" else record.cost(name) for name in self.settings.objectives]
        self._study.tell(self._open.pop(record.trial), values)

    def _save(self, record: TrialRecord) -> None:
        self.records[record.trial] = record
        self._open[record.trial].set_user_attr("record", record.to_dict())


def _unreadable(path: Path, why: object) -> UserError:
    """``why`` is an exception, or what was found."""
    got = why if isinstance(why, str) else f"{type(why).__name__}: {first_line(why)}"
    return UserError(
        f"journal {path} must be that of a run, undamaged, got {got}; restore the file, or use --run-dir for a new run"
    )


def _with_later_results(trial: optuna.trial.FrozenTrial, notes: Mapping[str, Any]) -> TrialRecord:
    record = TrialRecord.from_dict({**trial.user_attrs["record"], "trial": trial.number})
    later = notes.get(f"later-rungs/{trial.number}", [])
    record = replace(record, rungs=record.rungs + tuple(RungResult.from_dict(rung) for rung in later))
    failure = notes.get(f"failed/{trial.number}")
    return record if failure is None else replace(record, status="failed", reason=failure)
