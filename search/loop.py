"""The search itself: which trial is trained next, and what becomes of its results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from statistics import median

from search.candidates.compressed import start_weights, taught_from
from search.candidates.next_trial import next_trial
from search.candidates.screening import Screen
from search.compression_schedule import CompressionSchedule, parent_of
from search.pareto import ENOUGH_TRIALS
from search.records import RungResult, Status, TrialRecord
from search.request.budget import Budget
from search.rungs import SAFETY, next_fixed, promotable
from search.sessions.deadline import Deadline
from search.sessions.progress import Listener
from search.storage.artifacts import checkpoint_name, measured_weights_name
from search.storage.note_names import ELAPSED_S
from search.storage.study import Study
from search.workers.dispatcher import Dispatcher
from search.workers.jobs import Measured, RungJob, training_seed
from search.workers.messages import Failed, Job, Progress, Result
from search.workers.protocol import Workers
from search.workers.pruning import PrunedNetwork, PruneJob
from space.tasks import Task

TRIED = (Status.RUNNING, Status.TRAINED, Status.FAILED)  # of a searched trial: it has been, or is, trained


@dataclass
class Limits:
    """When to stop: at a deadline, or after a number of searched trials; None means no limit."""

    deadline: Deadline | None
    trials: int | None


@dataclass
class SearchLoop:
    """One session over a study, as a source of jobs; ``interrupted`` is asked often and ends it early."""

    study: Study
    task: Task
    budget: Budget
    workers: Workers
    limits: Limits
    listener: Listener
    interrupted: Callable[[], bool]
    step_s: dict[int, float] = field(default_factory=dict)  # seconds per training step, by trial
    _exhausted: bool = False

    def __post_init__(self) -> None:
        screen = Screen(self.task, self.study.settings, self.budget)
        self._compressed = CompressionSchedule(self.study, screen, self.step_s)
        for record in self.study.records.values():
            if record.follows:
                continue
            begun_at = record.descent.steps if record.descent else 0
            for before, after in zip((begun_at, *(each.steps for each in record.rungs)), record.rungs, strict=False):
                if after.train_s:  # nothing was trained where weights are inherited
                    self.step_s[record.trial] = after.train_s / (after.steps - before)

    def run(self) -> str | None:
        """Search until a limit is reached, everything is done, or it is interrupted; returns why it had to stop early,
        if it had to (``Dispatcher.run``)."""
        return Dispatcher(self.workers, self.limits.deadline or Deadline(), self.interrupted).run(self)

    # What to train next.

    def next_job(self, unavailable: frozenset[int]) -> Job | None:
        following = self._next(unavailable)
        return self._rung_job(following) if isinstance(following, TrialRecord) else following

    def _rung_job(self, record: TrialRecord) -> RungJob:
        rung, settings, descent = record.next_rung, self.study.settings, record.descent
        steps, begun_at = settings.rungs[rung], descent.steps if descent else 0
        teacher = self.study.records[descent.teacher] if descent and descent.teacher is not None else None
        return RungJob(
            number=record.trial,
            network=record.architecture.key,
            rung=rung,
            steps=steps,
            architecture=record.architecture,
            seed=training_seed(settings.seed, record.architecture.key),
            checkpoint=checkpoint_name(record.trial),
            weights=measured_weights_name(record.trial, rung),
            compression=record.compression,
            start=start_weights(record),
            begun_at=steps if record.follows else begun_at,
            teacher=taught_from(teacher, descent) if teacher and descent else None,
        )

    def _next(self, unavailable: frozenset[int]) -> TrialRecord | Job | None:
        rungs = self.study.settings.rungs
        records = self._records()
        begun = [r for r in records if not r.rungs and r.status == Status.RUNNING and r.trial not in unavailable]
        if begun:
            return begun[0]
        fixed = next_fixed([r for r in records if r.rungs], rungs, unavailable)
        if fixed is not None:
            return fixed
        compressed = self._compressed.next(records, unavailable, self._time_left_s())
        if compressed is not None:
            return compressed
        trained = [r for r in records if r.status == Status.TRAINED]
        for record in self._promotable(trained, unavailable):
            if self._fits(record, records, unavailable):
                return record
        if self._may_propose(records):
            proposed = next_trial(self.study, self.task, self.budget)
            if proposed is not None:
                return proposed
            self._exhausted = True
        fixed_count = sum(r.is_fixed for r in trained)
        at_least = len(trained) if self.limits.deadline else ENOUGH_TRIALS - fixed_count
        for record in self._promotable(trained, unavailable, at_least):
            if self._fits(record, records, unavailable):
                return record
        return None

    def _promotable(
        self, trained: list[TrialRecord], unavailable: frozenset[int], at_least: int = 0
    ) -> list[TrialRecord]:
        settings = self.study.settings
        return promotable(trained, settings.rungs, settings.objectives, unavailable, at_least, self._baseline_db())

    def _baseline_db(self) -> float:
        """PSNR without a network."""
        return float((self.study.noted("baseline") or {"psnr_db": -float("inf")})["psnr_db"])

    def _may_propose(self, records: list[TrialRecord]) -> bool:
        if self._exhausted:
            return False
        if self.study.sources() - {r.source for r in records}:
            return True  # fixed trials wait in the queue
        searched = sum(not r.is_fixed and r.descent is None and r.status in TRIED for r in records)
        if self.limits.trials is not None and searched >= self.limits.trials:
            return False
        # One that could not climb the whole ladder in the time left would only be measured where nothing is compared.
        known = list(self.step_s.values())
        whole_ladder_s = self.study.settings.rungs[-1] * median(known) * SAFETY if known else 0
        return self._time_left_s() > whole_ladder_s

    def _fits(self, record: TrialRecord, records: list[TrialRecord], unavailable: frozenset[int]) -> bool:
        """Whether it can be trained for its next rung in the time left."""
        if record.descent and not self._compressed.may_climb(record, records, unavailable):
            return False
        if record.trial not in self.step_s:
            return True
        steps = self.study.settings.rungs[record.next_rung] - record.steps
        return steps * self.step_s[record.trial] * SAFETY < self._time_left_s()

    # What came of it.

    def began(self, job: Job) -> None:
        if isinstance(job, PruneJob):
            return
        assert isinstance(job, RungJob)
        self.listener.started(self.study.records[job.number], job.steps)

    def progressed(self, progress: Progress) -> None:
        self.listener.progressed(progress)

    def took(self, result: Result) -> None:
        if isinstance(result, PrunedNetwork):
            self._compressed.pruned(result)
            return
        assert isinstance(result, Measured)
        trial, records = result.number, self.study.records
        rung = records[trial].next_rung
        if result.steps_made:
            self.step_s[trial] = result.train_s / result.steps_made
        self.study.add_result(
            trial,
            RungResult(
                rung,
                self.study.settings.rungs[rung],
                result.psnr_db,
                result.ssim,
                result.train_s,
                result.eval_s,
                result.psnr_db_by_image,
                1 + sum(len(other.rungs) for other in records.values()),
                result.others_db,
                at_s=self.study.noted(ELAPSED_S, 0.0),
            ),
        )
        self.listener.measured(records[trial])

    def stopped(self, number: int, train_s: float) -> None:
        self.study.note("stopped_train_s", self.study.noted("stopped_train_s", 0.0) + train_s)

    def failed(self, failure: Failed) -> None:
        if failure.number < 0:
            self.listener.said(f"pruning trial {parent_of(failure.number)} failed: {failure.reason}")
            return
        record = self.study.records[failure.number]
        self.listener.failed(replace(record, status=Status.FAILED, reason=failure.reason))

    def settled(self, failure: Failed) -> None:
        if failure.number < 0:
            self._compressed.unprunable(parent_of(failure.number), failure.reason)
            return
        self.study.fail(failure.number, failure.reason)

    def tick(self, left_s: float) -> None:
        self.listener.tick(None if self.limits.deadline is None else max(0.0, left_s))

    def _records(self) -> list[TrialRecord]:
        return sorted(self.study.records.values(), key=lambda record: record.trial)

    def _time_left_s(self) -> float:
        return float("inf") if self.limits.deadline is None else self.limits.deadline.left_s
