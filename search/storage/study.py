"""The run in Optuna's storage: the single source of truth about every trial.

A trial is told to Optuna when its first rung is complete: its values are those of the first rung, which every trial
has, so that the sampler compares like with like; the names of the objectives say so. Over-budget candidates and
duplicates are told as PRUNED with their constraints, as are published networks outside the search space; their results
are in their records (``search.storage.trial_attributes``). Samplers see the last generation of shared weights
(``search.storage.generation_view``).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.candidates.screening import Screen
from search.proposers import Proposer, proposer
from search.records import RECORD_VERSION, SEARCHED, SHARED, RungResult, RunSettings, Status, TrialRecord
from search.request.budget import Budget
from search.storage.generation_view import generation_view
from search.storage.note_names import GENERATIONS
from search.storage.proposal import Proposal
from search.storage.studies import create_study, open_study, unreadable, without_collection
from search.storage.trial_attributes import (
    CHANGING,
    FAILED,
    LATER_RUNGS,
    RECORD,
    RESULT,
    directions,
    metric_names,
    short_attributes,
    stored_record,
    whole_record,
)
from space.errors import UserError

TOLD_AS = {
    Status.OVER_BUDGET: TrialState.PRUNED,
    Status.DUPLICATE: TrialState.PRUNED,
    Status.UNCOVERED: TrialState.PRUNED,
    Status.FAILED: TrialState.FAIL,
}

optuna.logging.set_verbosity(optuna.logging.WARNING)
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


class Study:
    """One run's trials and notes."""

    def __init__(self, study: optuna.Study) -> None:
        self._whole = self._study = study  # all trials, and those that samplers see
        self._open: dict[int, optuna.trial.Trial] = {}
        self._proposer: Proposer | None = None
        self.records: dict[int, TrialRecord] = {}
        # Without a copy: Optuna copies every result of every trial whenever it is asked for one note.
        self._notes = dict(study._storage.get_study_user_attrs(study._study_id))
        later = {**self._notes, **study._storage.get_study_system_attrs(study._study_id)}
        self.settings = RunSettings.from_dict(self._notes["settings"])
        self._sources: set[tuple[str, int]] = set()  # with the rung on which each is first measured
        for trial in study.get_trials(deepcopy=False):
            stored = stored_record(trial)
            if stored is not None:
                if stored["source"] != SEARCHED:
                    self._sources.add((stored["source"], stored.get("first_rung", 0)))
                if trial.state != TrialState.WAITING:
                    self.records[trial.number] = whole_record(trial.number, stored, later)
        self.see_generation()

    @classmethod
    def create(cls, folder: Path, settings: RunSettings, url: str | None = None) -> Study:
        """A new run in ``folder``, whose trials are kept at ``url`` (``search.storage``), or in its journal if None."""
        objectives = settings.objectives
        study = create_study(folder, url, directions(objectives), metric_names(objectives))
        study.set_user_attr("settings", settings.to_dict())
        return cls(study)

    @classmethod
    def open(cls, folder: Path, owned: bool, url: str | None = None) -> Study | None:
        """The run in ``folder``; None where none was begun.

        Args:
            owned: whether the caller owns the folder (``search.storage.lock.own``): only then is what a kill left
                mended.
            url: where its trials are kept, if the folder does not say so.

        Raises:
            UserError: the storage is damaged, or was written by an incompatible version.
        """
        with without_collection():
            study = open_study(folder, url, owned)
            if study is None:
                return None
            asked = study._storage.get_study_user_attrs(study._study_id).get("settings")
            if asked is None:
                if study.get_trials(deepcopy=False):
                    raise unreadable(folder, url, "trials, and nothing of what was asked for")
                return None
            if asked.get("version") != RECORD_VERSION:
                raise UserError(
                    f"run {folder} must have record version {RECORD_VERSION}, got {asked.get('version')}; use "
                    "--run-dir for a new run"
                )
            try:
                opened = cls(study)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                raise unreadable(folder, url, error) from error
        if owned:
            opened._finish_interrupted()
        return opened

    def _finish_interrupted(self) -> None:
        """Close what a kill left open; trials whose training was interrupted stay open, to be trained."""
        for frozen in self._whole.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
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
        return self._whole.get_trials(deepcopy=False)

    def see_generation(self) -> None:
        """Proposals depend on what is measured from the beginning of the last generation on."""
        if begun := self._notes.get(GENERATIONS):
            self._proposer, self._study = None, generation_view(self._whole, begun[-1][0], self.records)

    # Notes about the whole run.

    def note(self, name: str, value: Any) -> None:
        """Remember ``value`` (JSON) under ``name``."""
        self._study.set_user_attr(name, value)
        self._notes[name] = value

    def noted(self, name: str, default: Any = None) -> Any:
        return self._notes.get(name, default)

    def stored(self, name: str, default: Any = None) -> Any:
        """As ``noted``, of what a proposer has written down."""
        return self._study._storage.get_study_user_attrs(self._study._study_id).get(name, default)

    def extend(self, rungs: tuple[int, ...]) -> None:
        """Add rungs; existing rungs do not change."""
        self.settings = replace(self.settings, rungs=rungs)
        self.note("settings", self.settings.to_dict())

    # Proposing.

    def enqueue(self, record: TrialRecord, parameters: Mapping[str, Any]) -> None:
        """Queue a published network; ``parameters`` are those of its knobs that lie on the grid."""
        self._sources.add((record.source, record.first_rung))
        self._study.add_trial(
            create_trial(
                state=TrialState.WAITING,
                system_attrs={"fixed_params": dict(parameters), RECORD: record.to_dict()},
                user_attrs=short_attributes(record),
            )
        )

    def enqueue_knobs(self, parameters: Mapping[str, Any]) -> None:
        """Queue a point of the search space, to be treated like a proposal of the sampler."""
        self._study.enqueue_trial(dict(parameters), skip_if_exists=True)

    @property
    def has_queued(self) -> bool:
        """Whether trials wait to be asked for."""
        return any(trial.state == TrialState.WAITING for trial in self.trials())

    def sources(self, first_rung: int = 0) -> set[str]:
        """Names of the fixed trials in the storage, including queued ones, that begin on ``first_rung``."""
        return {source for source, rung in self._sources if rung == first_rung}

    def ask(self, screen: Screen) -> Proposal:
        """The next trial: a fixed one while any is queued, else a proposal of the sampler in the space of ``screen``.

        The sampler is seeded for each trial with the run's seed and the trial's number, so that a continued run
        proceeds as an uninterrupted one would.
        """
        seed = self.settings.seed * 1_000_003 + len(self.trials())
        held = screen.space.parameters_of(screen.space.held) if screen.space.held else {}
        if held and not self.has_queued:
            self._study.enqueue_trial(held)
        self._proposer = self._proposer or proposer(self.settings.sampler)
        self._study.sampler = self._proposer.sampler(self._study, screen, seed)
        trial = self._study.ask()
        self._open[trial.number] = trial
        return Proposal(trial)

    def ask_published(self) -> Proposal | None:
        """The first published network that is queued, also where other trials wait before it; None where none is."""
        for waiting in self._whole.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
            if RECORD in waiting.system_attrs:
                self._study._storage.set_trial_state_values(waiting._trial_id, TrialState.RUNNING)
                self._open[waiting.number] = optuna.trial.Trial(self._study, waiting._trial_id)
                return Proposal(self._open[waiting.number])
        return None

    def interrupted(self, trial: int) -> Proposal:
        """A trial left without a result by a kill, to be started again."""
        return Proposal(self._open[trial])

    def start(self, record: TrialRecord, budget: Budget) -> None:
        """Record a trial and its constraints before it is trained."""
        trial = self._open[record.trial]
        for limit in budget.limits:
            # Not where no table could price it, so that it is closed as failed, or where a kill came afterwards.
            if not record.costs.has(limit.quantity) or limit.quantity in trial.constraints:
                continue
            trial.set_constraint(limit.quantity, limit.excess(record.costs))
        self._save(record)

    def begin(self, record: TrialRecord, budget: Budget) -> TrialRecord:
        """Add a trial that nobody proposed, compressed from another, and write it down: one that is running to be
        trained, one of another status closed. Returns it with its number."""
        number = len(self.trials())
        record = replace(record, trial=number)
        frozen = create_trial(
            state=TrialState.RUNNING, system_attrs={RECORD: record.to_dict()}, user_attrs=short_attributes(record)
        )
        trial_id = self._study._storage.create_new_trial(self._study._study_id, frozen)
        self._open[number] = optuna.trial.Trial(self._study, trial_id)
        assert self._open[number].number == number
        self.records[number] = record
        if record.status in TOLD_AS:
            self.reject(record, budget)
        else:
            self.start(record, budget)
        return record

    # Results.

    def reject(self, record: TrialRecord, budget: Budget) -> None:
        """Record and close a trial that is not trained: ``over-budget``, ``duplicate``, or ``failed``."""
        self.start(record, budget)
        self._study.tell(self._open.pop(record.trial), state=TOLD_AS[record.status])

    def fail(self, trial: int, reason: str) -> None:
        """Close a trial whose training failed; its results on earlier rungs are kept."""
        record = replace(self.records[trial], status=Status.FAILED, reason=reason)
        if trial in self._open:
            self._save(record)
            self._study.tell(self._open.pop(trial), state=TrialState.FAIL)
        else:
            self.records[trial] = record
            self._hide(f"{FAILED}{trial}", reason)

    def add_result(self, trial: int, result: RungResult) -> None:
        """Add a completed rung; durable when this returns."""
        record = self.records[trial]
        record = replace(record, status=Status.TRAINED, rungs=(*record.rungs, result))
        if trial in self._open:
            self._save(record)
            self._tell(record)
        else:
            self.records[trial] = record
            self._hide(f"{LATER_RUNGS}{trial}", [later.to_dict() for later in record.rungs[1:]])

    def _tell(self, record: TrialRecord) -> None:
        """Tell the values of the first rung; not of a network outside the space, for nothing can be learned from it.

        As a complete trial without parameters it would leave NSGA and GP no parameter that all trials have. Where
        networks share weights, one that was trained alone had another treatment than those that are compared.
        """
        is_another = self.settings.evaluator == SHARED and record.family is None
        if is_another or not self._open[record.trial].params:
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
        self._whole._storage.set_study_system_attr(self._whole._study_id, name, value)
