"""The run in Optuna's storage: the only truth about every trial.

A trial is told when its first rung is done: its values are those of the first rung, which every trial has, so that
the sampler compares like with like, and the names of the objectives say so. Later rungs are attributes of the study
(``later-rungs/TRIAL``), because Optuna closes a trial once it is told. Over-budget candidates and duplicates are told
as PRUNED with their constraints, as are published networks outside the search space; their results are in their
records.

Records are system attributes, which Optuna's dashboard does not list; what a person looks for is in short user
attributes beside them (``short_attributes``). Both lie in the same journal.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.budget import Budget
from search.storage.journal import JOURNAL, repair, storage, whole_bytes
from search.records import RECORD_VERSION, SEARCHED, RungResult, RunSettings, TrialRecord
from search.samplers import choose, reseeded
from space.errors import UserError
from space.knobs import Knob, Value
from space.os_errors import first_line

NAME = "litefront"
RECORD, RESULT = "litefront:record", "litefront:result"  # attributes of a trial
CHANGING = ("status", "reason", "rungs")  # of a record, once it is written
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
        attributes = self._trial.storage.get_trial_system_attrs(self._trial._trial_id)
        return attributes.get(RECORD)

    def choose(self, knob: Knob) -> Value:
        return choose(self._trial, knob)


class Study:
    """One run's trials and notes, in the journal of its folder."""

    def __init__(self, study: optuna.Study) -> None:
        self._study = study
        self._open: dict[int, optuna.trial.Trial] = {}
        self._sampler: BaseSampler | None = None
        self.records: dict[int, TrialRecord] = {}
        # Without a copy: Optuna copies every result of every trial whenever it is asked for one note.
        self._notes = dict(study._storage.get_study_user_attrs(study._study_id))
        later = {**self._notes, **study._storage.get_study_system_attrs(study._study_id)}
        self.settings = RunSettings.from_dict(self._notes["settings"])
        self._sources: set[str] = set()
        for trial in study.get_trials(deepcopy=False):
            stored = _stored(trial)
            if stored is not None:
                self._sources |= {stored["source"]} - {SEARCHED}
                if trial.state != TrialState.WAITING:
                    self.records[trial.number] = _with_later_results(trial.number, stored, later)

    @classmethod
    def create(cls, folder: Path, settings: RunSettings) -> Study:
        study = optuna.create_study(
            study_name=NAME,
            storage=storage(folder / JOURNAL),
            load_if_exists=True,
            directions=[DIRECTIONS.get(name, "minimize") for name in settings.objectives],
        )
        study.set_metric_names(metric_names(settings.objectives))
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
        with _without_collection():
            if owned:
                repair(path)
            if not (path.stat().st_size if owned else whole_bytes(path, path.read_bytes())):
                return None  # ended before its first line was written
            stored = storage(path)
            try:
                study = optuna.load_study(study_name=NAME, storage=stored)
            except Exception as error:  # Optuna does not say of what kind a line is that it cannot replay
                raise _unreadable(path, error) from error
            asked = stored.get_study_user_attrs(study._study_id).get("settings")
            if asked is None:
                if study.get_trials(deepcopy=False):
                    raise _unreadable(path, "trials, and nothing of what was asked for")
                return None
            if asked.get("version") != RECORD_VERSION:
                raise UserError(
                    f"run {folder} must have record version {RECORD_VERSION}, got {asked.get('version')}; use "
                    "--run-dir for a new run"
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

    def trials(self) -> list[FrozenTrial]:
        """All trials as Optuna has them, not to be changed."""
        return self._study.get_trials(deepcopy=False)

    # Notes about the whole run.

    def note(self, name: str, value: Any) -> None:
        """Remember ``value`` (JSON) under ``name``."""
        self._study.set_user_attr(name, value)
        self._notes[name] = value

    def noted(self, name: str, default: Any = None) -> Any:
        return self._notes.get(name, default)

    def extend(self, rungs: tuple[int, ...]) -> None:
        """Make the ladder longer; the rungs that exist stay."""
        self.settings = replace(self.settings, rungs=rungs)
        self.note("settings", self.settings.to_dict())

    # Proposing.

    def enqueue(self, record: TrialRecord, parameters: Mapping[str, Any]) -> None:
        """Queue a paper's configuration; ``parameters`` are those of its knobs that lie on the grid."""
        self._sources.add(record.source)
        self._study.add_trial(
            create_trial(
                state=TrialState.WAITING,
                system_attrs={"fixed_params": dict(parameters), RECORD: record.to_dict()},
                user_attrs=short_attributes(record),
            )
        )

    def enqueue_knobs(self, parameters: Mapping[str, Any]) -> None:
        """Queue a point of the search space; it is then treated like a proposal of the sampler."""
        self._study.enqueue_trial(dict(parameters), skip_if_exists=True)

    def sources(self) -> set[str]:
        """Names of the fixed trials in the storage, queued ones too."""
        return set(self._sources)

    def ask(self) -> Proposal:
        """The next trial: a fixed one while any is queued, else a proposal of the sampler.

        The sampler is seeded anew by the run's seed and the trial's number, so that a continued run goes on as an
        uninterrupted one would.
        """
        number = len(self._study.get_trials(deepcopy=False))
        seed = self.settings.seed * 1_000_003 + number
        self._sampler = self._study.sampler = reseeded(self._sampler, self.settings.sampler, seed)
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
            self._hide(f"failed/{trial}", reason)

    def add_result(self, trial: int, result: RungResult) -> None:
        """Add a completed rung; durable when this returns."""
        record = self.records[trial]
        record = replace(record, status="trained", rungs=(*record.rungs, result))
        if trial in self._open:
            self._save(record)
            self._tell(record)
        else:
            self.records[trial] = record
            self._hide(f"later-rungs/{trial}", [later.to_dict() for later in record.rungs[1:]])

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
        """Write the short attributes, and then the record: all of it at first, and then what can change."""
        before, self.records[record.trial] = self.records.get(record.trial), record
        trial = self._open[record.trial]
        known = trial.user_attrs
        for name, value in short_attributes(record).items():
            if known.get(name) != value:
                trial.set_user_attr(name, value)
        whole = record.to_dict()
        if before is None:
            trial.storage.set_trial_system_attr(trial._trial_id, RECORD, whole)
        else:
            trial.storage.set_trial_system_attr(trial._trial_id, RESULT, {name: whole[name] for name in CHANGING})

    def _hide(self, name: str, value: Any) -> None:
        """Remember ``value`` (JSON) about a trial that is closed, where the dashboard does not list it."""
        self._study._storage.set_study_system_attr(self._study._study_id, name, value)


@contextmanager
def _without_collection() -> Iterator[None]:
    """Python looks for unreachable objects again and again while millions are made; here it would find none."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.freeze()
            gc.unfreeze()  # what is there now counts as old: else the next object made has all of it looked at
            gc.enable()


def metric_names(objectives: Sequence[str]) -> list[str]:
    """What the dashboard calls the objectives."""
    return ["PSNR dB, first rung" if name == "psnr" else name for name in objectives]


def short_attributes(record: TrialRecord) -> dict[str, Any]:
    """What a person looks for in a trial: source, key, costs, and PSNR by the steps of training."""
    times = {f"ms@{table}": round(figure.ms, 3) for table, figure in record.costs.latency.items()}
    quality = {f"psnr@{result.steps}": round(result.psnr_db, 3) for result in record.rungs}
    reason = {} if record.reason is None else {"reason": record.reason}
    costs = {"params": record.costs.params, "macs": record.costs.macs}
    return {"source": record.source, "key": record.architecture.key, **costs, **times, **quality, **reason}


def _stored(trial: optuna.trial.FrozenTrial) -> dict[str, Any] | None:
    """The record in the storage, if there is one."""
    first = trial.system_attrs.get(RECORD)
    return None if first is None else {**first, **trial.system_attrs.get(RESULT, {})}


def _with_later_results(number: int, stored: dict[str, Any], notes: Mapping[str, Any]) -> TrialRecord:
    later, failure = notes.get(f"later-rungs/{number}", ()), notes.get(f"failed/{number}")
    changed = {} if failure is None else {"status": "failed", "reason": failure}
    return TrialRecord.from_dict({**stored, "trial": number, "rungs": [*stored["rungs"], *later], **changed})


def _unreadable(path: Path, why: object) -> UserError:
    """``why`` is an exception, or what was found."""
    got = why if isinstance(why, str) else f"{type(why).__name__}: {first_line(why)}"
    return UserError(
        f"journal {path} must be that of a run, undamaged, got {got}; restore the file, or use --run-dir for a new run"
    )
