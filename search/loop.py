"""The search itself: which trial is trained next, and what becomes of its results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from statistics import median

from evaluators.compression.compression import DISTIL, INT8, PRUNE
from search.candidates.compressed import (
    PRUNED_S,
    Compressor,
    Variant,
    can_follow,
    seconds_of,
    start_weights,
    taught_from,
)
from search.candidates.next_trial import next_trial
from search.candidates.screening import Screen
from search.pareto import ENOUGH_TRIALS
from search.records import RungResult, Status, TrialRecord
from search.request.budget import Budget
from search.rungs import next_fixed, promotable
from search.sessions.deadline import Deadline
from search.sessions.progress import Listener
from search.storage.artifacts import checkpoint_name, measured_weights_name
from search.storage.study import Study
from search.workers.dispatcher import Dispatcher
from search.workers.jobs import Measured, RungJob, training_seed
from search.workers.messages import Failed, Job, Progress, Result
from search.workers.protocol import Workers
from search.workers.pruning import PrunedNetwork, PruneJob
from space.tasks import Task

TRIED = (Status.RUNNING, Status.TRAINED, Status.FAILED)  # of a searched trial: it has been, or is, trained
MEASURED_LONGER = 8  # times as long as in float: int8 is calibrated, and every value rounded one by one
TAUGHT_LONGER = 2  # with a teacher, whose forward pass costs about as much as a step without one
SAFETY = 1.15  # a job is begun only if its estimated time, times this, is left


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
        self._compressor = Compressor(self.study, Screen(self.task, self.study.settings, self.budget))
        for record in self.study.records.values():
            if record.follows:
                continue
            begun_at = record.descent.steps if record.descent else 0
            for before, after in zip((begun_at, *(each.steps for each in record.rungs)), record.rungs, strict=False):
                self.step_s[record.trial] = after.train_s / (after.steps - before)

    def run(self) -> str | None:
        """Search until a limit is reached, everything is done, or it is interrupted; returns why it had to stop early,
        if it had to (``Dispatcher.run``)."""
        return Dispatcher(self.workers, self.limits.deadline or Deadline(), self.interrupted).run(self)

    # What to train next.

    def next_job(self, unavailable: frozenset[int]) -> Job | None:
        record = self._next(unavailable)
        return self._rung_job(record) if isinstance(record, TrialRecord) else record

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

    def _next(self, unavailable: frozenset[int]) -> TrialRecord | PruneJob | None:
        rungs = self.study.settings.rungs
        records = self._records()
        begun = [r for r in records if not r.rungs and r.status == Status.RUNNING and r.trial not in unavailable]
        if begun:
            return begun[0]
        fixed = next_fixed([r for r in records if r.rungs], rungs, unavailable)
        if fixed is not None:
            return fixed
        compressed = self._next_compressed(records, unavailable)
        if compressed is not None:
            return compressed
        trained = [r for r in records if r.status == Status.TRAINED]
        for record in self._promotable(trained, unavailable):
            if self._fits(record):
                return record
        if self._may_propose(records):
            proposed = next_trial(self.study, self.task, self.budget)
            if proposed is not None:
                return proposed
            self._exhausted = True
        fixed_count = sum(r.is_fixed for r in trained)
        at_least = len(trained) if self.limits.deadline else ENOUGH_TRIALS - fixed_count
        for record in self._promotable(trained, unavailable, at_least):
            if self._fits(record):
                return record
        return None

    def _promotable(
        self, trained: list[TrialRecord], unavailable: frozenset[int], at_least: int = 0
    ) -> list[TrialRecord]:
        settings = self.study.settings
        baseline_db = (self.study.noted("baseline") or {"psnr_db": -float("inf")})["psnr_db"]
        return promotable(trained, settings.rungs, settings.objectives, unavailable, at_least, baseline_db)

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

    def _fits(self, record: TrialRecord) -> bool:
        if record.trial not in self.step_s:
            return True
        steps = self.study.settings.rungs[record.next_rung] - record.steps
        return steps * self.step_s[record.trial] * SAFETY < self._time_left_s()

    # Compressed variants.

    def _next_compressed(
        self, records: list[TrialRecord], unavailable: frozenset[int]
    ) -> TrialRecord | PruneJob | None:
        """The next compressed trial to measure or train, while they have had no more than their share of the time."""
        settings = self.study.settings
        if not settings.compress:
            return None
        for record in records:
            if record.follows and record.trial not in unavailable and can_follow(record, self.study.records):
                return record
        for variant in self._compressor.variants():
            if not self._may_compress(variant, records, unavailable):
                continue
            if variant.how == PRUNE:
                if self._pruned_by(variant) in unavailable:
                    continue
                return self._compressor.prune_job(variant, self._pruned_by(variant))
            made = self._compressor.made(variant)
            if made.status == Status.RUNNING:
                return made
        return None

    def _may_compress(self, variant: Variant, records: list[TrialRecord], unavailable: frozenset[int]) -> bool:
        """Whether ``variant`` can be trained in the time left, and in the share of the time that is its own."""
        settings, step_s = self.study.settings, self.step_s
        if variant.how == INT8:
            needed = MEASURED_LONGER * variant.parent.rungs[-1].eval_s
        else:
            rung = variant.parent.rungs[-1].rung
            steps = settings.rungs[rung] - settings.rungs[rung - 1]
            needed = steps * step_s[variant.parent.trial] * (TAUGHT_LONGER if variant.how == DISTIL else 1)
        in_work = sum(
            (settings.rungs[each.next_rung] - each.steps) * step_s.get(each.parent or 0, 0.0)
            for each in records
            if each.descent and not each.follows and each.trial in unavailable and each.next_rung < len(settings.rungs)
        )
        own = seconds_of(each for each in records if each.descent) + self.study.noted(PRUNED_S, 0.0) + in_work + needed
        return own <= settings.compress_share * (seconds_of(records) + in_work + needed) and (
            needed * SAFETY < self._time_left_s()
        )

    @staticmethod
    def _pruned_by(variant: Variant) -> int:
        """The number of the job that prunes: of no trial, and one of each parent."""
        return -2 - variant.parent.trial

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
            self._compressor.pruned(result)
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
            ),
        )
        self.listener.measured(records[trial])

    def stopped(self, number: int, train_s: float) -> None:
        self.study.note("stopped_train_s", self.study.noted("stopped_train_s", 0.0) + train_s)

    def failed(self, failure: Failed) -> None:
        if failure.number < 0:
            self.listener.said(f"pruning trial {-2 - failure.number} failed: {failure.reason}")
            return
        record = self.study.records[failure.number]
        self.listener.failed(replace(record, status=Status.FAILED, reason=failure.reason))

    def settled(self, failure: Failed) -> None:
        if failure.number < 0:
            self._compressor.unprunable(-2 - failure.number, failure.reason)
            return
        self.study.fail(failure.number, failure.reason)

    def tick(self, left_s: float) -> None:
        self.listener.tick(None if self.limits.deadline is None else max(0.0, left_s))

    def _records(self) -> list[TrialRecord]:
        return sorted(self.study.records.values(), key=lambda record: record.trial)

    def _time_left_s(self) -> float:
        return float("inf") if self.limits.deadline is None else self.limits.deadline.left_s
