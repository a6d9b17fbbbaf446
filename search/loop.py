"""The search itself: hand out jobs until time or trials are used up; every result is durable before the next job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from search.budget import Budget
from search.deadline import Deadline
from search.jobs import Answer, Failed, Job, MachineTrouble, Measured, Progress, Stopped, training_seed
from search.pareto import ENOUGH_TRIALS
from search.progress import Listener
from search.proposals import next_trial
from search.records import RungResult, TrialRecord
from search.rungs import next_fixed, promotable
from search.study import Study
from search.workers.verdicts import Verdicts
from search.workers import Workers
from space.tasks import Task

POLL_S = 0.25
SAFETY = 1.15  # a job is begun only if its estimated time, times this, is left


@dataclass
class Limits:
    """When to stop: at a moment, or with a number of searched trials; None is no limit."""

    deadline: Deadline | None
    trials: int | None


@dataclass
class SearchLoop:
    """One session over a study; ``interrupted`` is asked often and ends it early."""

    study: Study
    task: Task
    budget: Budget
    workers: Workers
    limits: Limits
    folder: Path
    listener: Listener
    interrupted: Callable[[], bool]
    step_s: dict[int, float] = field(default_factory=dict)  # seconds per training step, by trial
    _busy: set[int] = field(default_factory=set)
    _exhausted: bool = False
    _verdicts: Verdicts = field(default_factory=Verdicts)
    _stopping: bool = False

    def __post_init__(self) -> None:
        for record in self.study.records.values():
            for before, after in zip((None, *record.rungs), record.rungs, strict=False):
                self.step_s[record.trial] = after.train_s / (after.steps - (before.steps if before else 0))

    def run(self) -> str | None:
        """Search until a limit is reached, everything is done, or it is interrupted.

        Returns:
            None, or why it had to stop early (``Verdicts.problem``: trouble of the machine).
        """
        while True:
            if not self._stopping and (self.interrupted() or self._verdicts.problem or self._time_left_s() <= 0):
                self._stopping = True
                self.workers.stop()
            if not self._stopping:
                while self.workers.idle() and (record := self._next()) is not None:
                    self._submit(record)
            if not self._busy:
                if not self._stopping:
                    self._settle(self._verdicts.finish())
                return self._verdicts.problem
            for message in self.workers.poll(POLL_S):
                self._receive(message)
            left = self._time_left_s()
            self.listener.tick(None if self.limits.deadline is None else max(0.0, left))

    # What to train next.

    def _next(self) -> TrialRecord | None:
        rungs = self.study.settings.rungs
        records = self._records()
        busy = self._unavailable()
        begun = [r for r in records if not r.rungs and r.status == "running" and r.trial not in busy]
        if begun:
            return begun[0]
        fixed = next_fixed([r for r in records if r.rungs], rungs, busy)
        if fixed is not None:
            return fixed
        trained = [r for r in records if r.status == "trained"]
        for record in self._promotable(trained):
            if self._fits(record):
                return record
        if self._may_propose(records):
            record = next_trial(self.study, self.task, self.budget)
            if record is not None:
                return record
            self._exhausted = True
        fixed_count = sum(r.is_fixed for r in trained)
        at_least = len(trained) if self.limits.deadline else ENOUGH_TRIALS - fixed_count
        for record in self._promotable(trained, at_least):
            if self._fits(record):
                return record
        return None

    def _promotable(self, trained: list[TrialRecord], at_least: int = 0) -> list[TrialRecord]:
        settings = self.study.settings
        baseline_db = (self.study.noted("baseline") or {"psnr_db": -float("inf")})["psnr_db"]
        return promotable(trained, settings.rungs, settings.objectives, self._unavailable(), at_least, baseline_db)

    def _unavailable(self) -> frozenset[int]:
        """Trials that are being trained, and those whose failure is not settled yet."""
        return frozenset(self._busy) | self._verdicts.suspects

    def _may_propose(self, records: list[TrialRecord]) -> bool:
        if self._exhausted:
            return False
        if self.study.sources() - {r.source for r in records}:
            return True  # fixed trials wait in the queue
        searched = sum(not r.is_fixed and r.status in ("running", "trained", "failed") for r in records)
        if self.limits.trials is not None and searched >= self.limits.trials:
            return False
        # One that could not climb the whole ladder in the time left would only be measured where nothing is compared.
        known = list(self.step_s.values())
        whole_ladder_s = self.study.settings.rungs[-1] * median(known) * SAFETY if known else 0
        return self._time_left_s() > whole_ladder_s

    def _fits(self, record: TrialRecord) -> bool:
        if record.trial not in self.step_s:
            return True
        steps = self.study.settings.rungs[len(record.rungs)] - (record.rungs[-1].steps if record.rungs else 0)
        return steps * self.step_s[record.trial] * SAFETY < self._time_left_s()

    def _submit(self, record: TrialRecord) -> None:
        rung = len(record.rungs)
        steps = self.study.settings.rungs[rung]
        checkpoints = self.folder / "checkpoints"
        self.workers.submit(
            Job(
                trial=record.trial,
                rung=rung,
                steps=steps,
                architecture=record.architecture.to_dict(),
                seed=training_seed(self.study.settings.seed, record.architecture.key),
                checkpoint=checkpoints / f"trial-{record.trial}.safetensors",
                weights=weights_file(self.folder, record.trial, rung),
                left_s=self._time_left_s(),
            )
        )
        self._busy.add(record.trial)
        self.listener.started(record, steps)

    # What came of it.

    def _receive(self, message: Answer | Progress) -> None:
        if isinstance(message, Progress):
            self.listener.progressed(message)
            return
        self._busy.discard(message.trial)
        if isinstance(message, Measured):
            record = self.study.records[message.trial]
            rung = len(record.rungs)
            order = 1 + sum(len(other.rungs) for other in self.study.records.values())
            if message.steps_made:
                self.step_s[message.trial] = message.train_s / message.steps_made
            self.study.add_result(
                message.trial,
                RungResult(
                    rung,
                    self.study.settings.rungs[rung],
                    message.psnr_db,
                    message.ssim,
                    message.train_s,
                    message.eval_s,
                    message.psnr_db_by_image,
                    order,
                    message.others_db,
                ),
            )
            self.listener.measured(self.study.records[message.trial])
            self._settle(self._verdicts.succeeded())
        elif isinstance(message, Failed):
            record = self.study.records[message.trial]
            self.listener.failed(replace(record, status="failed", reason=message.reason))
            self._settle(self._verdicts.failed(message, record.architecture.key))
        elif isinstance(message, MachineTrouble):
            self._verdicts.machine(message)
        else:
            assert isinstance(message, Stopped)
            self.study.note("stopped_train_s", self.study.noted("stopped_train_s", 0.0) + message.train_s)

    def _settle(self, failures: list[Failed]) -> None:
        """Write down failures that are known to be the networks' own."""
        for failure in failures:
            self.study.fail(failure.trial, failure.reason)

    def _records(self) -> list[TrialRecord]:
        return sorted(self.study.records.values(), key=lambda record: record.trial)

    def _time_left_s(self) -> float:
        return float("inf") if self.limits.deadline is None else self.limits.deadline.left_s


def weights_file(folder: Path, trial: int, rung: int) -> Path:
    """Averaged weights of a trial as measured on a rung."""
    return folder / "checkpoints" / f"trial-{trial}-rung-{rung}.safetensors"
