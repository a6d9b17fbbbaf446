"""A search whose candidates inherit their weights: families are trained, proposals are only measured, and the best of
them are trained on alone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from statistics import median

from search.candidates.compressed import root_of
from search.candidates.screening import Screen
from search.loop import TRIED, SearchLoop
from search.records import Status, TrialRecord
from search.rungs import REDUCTION, SAFETY, next_fixed, ranked
from search.sharing.choosing import another_family
from search.sharing.finalists import in_turn
from search.sharing.generation import Generation
from search.sharing.planning import FAMILY_SHARE, kept_share
from search.sharing.proposals import next_inherited, next_published
from search.sharing.queueing import queue_alone, queue_settled
from search.storage.artifacts import bank_checkpoint_name, bank_name, measured_weights_name
from search.workers.bank_jobs import BankJob, BankTooLong, BankTrained
from search.workers.jobs import RungJob, training_seed
from search.workers.messages import Failed, Job, Result

FIRST_NUMBER = -1_000_000  # of the jobs that train shared weights, which are of no trial
FINALISTS = 8  # candidates that are trained on where no time limit says how many
MEASURED_SHARE = 0.05  # of the workers' time, for candidates before published networks are trained alone
FEWEST_MEASURED = 16  # candidates, before any time is kept: measuring one takes less than a second


@dataclass
class SharingLoop(SearchLoop):
    """As ``SearchLoop``, with the families of ``generation``, which may become ``most_families``; ``time_s`` is what
    there is from the beginning of the generation on, if time is limited."""

    generation: Generation = field(kw_only=True)
    time_s: float | None = field(default=None, kw_only=True)
    most_families: int = field(default=0, kw_only=True)
    _has_queued_alone: bool = False
    _exhausted_in: tuple[int, ...] | None = None  # the trained families in which nothing new was found

    def __post_init__(self) -> None:
        super().__post_init__()
        self._screen = Screen(self.task, self.study.settings, self.budget)

    def _next(self, unavailable: frozenset[int]) -> TrialRecord | Job | None:
        records = self._records()
        begun = [r for r in records if not r.rungs and r.status == Status.RUNNING and r.trial not in unavailable]
        bank = self._bank_job(unavailable)
        if bank is not None:
            return bank
        if begun:
            return begun[0]
        settled = self.generation.is_all_settled
        queue_settled(self.study, self.generation, self._screen.space)
        while self._has_another_family(records):
            bank = self._bank_job(unavailable)
            if bank is not None:
                return bank
        if self._has_more(records) and self._measures_first(records):
            proposed = self._proposed()
            if proposed is not None:
                return proposed
        if not self._has_queued_alone:
            queue_alone(self.study, self.generation, self._screen.space)
            self._has_queued_alone = True
        published = next_published(self.study, self._screen)
        if published is not None:
            return published
        if self._has_more(records) and self._may_propose(records):
            proposed = self._proposed()
            if proposed is not None:
                return proposed
        return self._trained_on(records, unavailable, settled)

    def _climbs(self, record: TrialRecord) -> bool:
        """Not one of an earlier generation: it inherited from weights that were trained for fewer steps."""
        return record.family is None or record.first_rung == self.generation.first_rung

    def _proposed(self) -> TrialRecord | None:
        proposed = next_inherited(self.study, self._screen, self.generation)
        if proposed is None:
            self._exhausted_in = self.generation.trained
        return proposed

    def _has_more(self, records: list[TrialRecord]) -> bool:
        """Whether the families that are trained now may have something new: one that comes to them brings more."""
        trained = self.generation.trained
        return bool(trained) and self._exhausted_in != trained and not self._tried_enough(records)

    def _trained_on(
        self, records: list[TrialRecord], unavailable: frozenset[int], settled: bool
    ) -> TrialRecord | Job | None:
        """Published networks and the best candidates in turn, so that a run whose time ends has some of both; before
        the next of them, the compressed variants of those that there are."""
        fixed = next_fixed([r for r in records if r.rungs and self._climbs(r)], self.study.settings.rungs, unavailable)
        if not settled:  # a family is in training; its networks may be better than the best that there are
            return fixed or self._finalist(records, unavailable)
        compressed = self._variant(records, unavailable)
        if compressed is not None:
            return compressed
        others, first = [record for record in records if record.descent is None], self.generation.first_rung
        begun = [r.is_fixed for r in others if r.rungs and (r.next_rung > first + 1 or r.trial in unavailable)]
        if fixed is None or sum(begun) > len(begun) - sum(begun):
            return self._finalist(records, unavailable) or fixed
        return fixed

    def _bank_job(self, unavailable: frozenset[int]) -> BankJob | None:
        """Of the first family that is neither trained nor in training; one that hardly fits the budget is left out."""
        is_only_one = not self.generation.trained and all(number > FIRST_NUMBER for number in unavailable)
        for index in range(len(self.generation.families)):
            if self.generation.is_settled(index) or FIRST_NUMBER - index in unavailable:
                continue
            designs = self.generation.designs(index)
            if not designs:
                self.generation.failed(index, "hardly one of its networks fits the budget")
                continue
            if (most_s := self._most_s(is_only_one)) <= 0:
                self.generation.too_long(index, "more time than is left")
                continue
            return BankJob(
                number=FIRST_NUMBER - index,
                network=f"family {index}",
                family=index,
                designs=designs,
                steps=self.generation.steps,
                seed=training_seed(self.study.settings.seed, f"family {index}"),
                checkpoint=bank_checkpoint_name(index),
                bank=bank_name(index, self.generation.first_rung),
                most_s=most_s,
            )
        return None

    def _has_another_family(self, records: list[TrialRecord]) -> bool:
        """Whether there is one more now: where time allows it, and all is measured that the trained ones were trained
        on, which says whose neighbour it should be; or where none could be trained, in place of those."""
        generation = self.generation
        if not self.most_families or self._tried_enough(records):
            return False
        if generation.trained:
            left_s = self._time_left_s() - self._kept_s
            is_full = len(generation.families) >= self.most_families or left_s < 2 * SAFETY * generation.longest_s
            if is_full or self.study.has_queued:
                return False
        elif not generation.is_all_settled or self._most_s(True) <= 0:
            return False
        family = another_family(self._screen, generation.families, generation.shares())
        if family is None:
            self.most_families = 0
            return False
        generation.decide((*generation.families, family))
        return True

    def _most_s(self, is_only_one: bool) -> float:
        """What one family's training may take: it ends before the time that is kept. Of the first generation's, which
        are only planned by the first one, none takes more than ``FAMILY_SHARE`` of all, unless ``is_only_one``: without
        any, nothing is searched."""
        most_s = (self._time_left_s() - self._kept_s) / SAFETY
        if self.time_s is None or is_only_one or not self.generation.is_first:
            return most_s
        return min(most_s, FAMILY_SHARE * self.time_s)

    def _tried(self, records: list[TrialRecord]) -> int:
        """Candidates that are measured, or will be."""
        tried = (record for record in records if record.status in TRIED and self._climbs(record))
        return sum(not record.is_fixed and record.descent is None for record in tried)

    def _tried_enough(self, records: list[TrialRecord]) -> bool:
        return self.limits.trials is not None and self._tried(records) >= self.limits.trials

    def _measures_first(self, records: list[TrialRecord]) -> bool:
        """Whether candidates come before the published networks that are trained alone: a run that is short of time
        has a front early. All on which families were trained do, and others for ``MEASURED_SHARE`` of the time."""
        if self.time_s is None or self.study.has_queued or self._tried(records) < FEWEST_MEASURED:
            return True
        own = (record for record in records if record.family is not None and self._climbs(record))
        measured_s = sum(record.rungs[0].eval_s for record in own if record.rungs)
        return measured_s < MEASURED_SHARE * self.time_s * self.study.settings.workers

    def _may_propose(self, records: list[TrialRecord]) -> bool:
        if self.time_s is None or self._tried(records) < FEWEST_MEASURED:
            return True
        published_s = SAFETY * self._needed_s(records) / self.study.settings.workers
        return self._time_left_s() > self._kept_s + published_s

    @property
    def _kept_s(self) -> float:
        """By the clock, what is kept for the best candidates and their compressed variants."""
        return kept_share(self.study.settings) * (self.time_s or 0.0)

    def _needed_s(self, records: list[TrialRecord]) -> float:
        """What training the published networks to the last rung still takes."""
        last = self.study.settings.rungs[-1]
        fixed = [r for r in records if r.is_fixed and r.status in TRIED and self._climbs(r)]
        steps = ((r, last - max(r.steps, 0 if r.family is None else self.generation.steps)) for r in fixed)
        return sum(count * (self._step_s(record) or 0.0) for record, count in steps if count > 0)

    def _variant(self, records: list[TrialRecord], unavailable: frozenset[int]) -> TrialRecord | Job | None:
        """The next compressed variant of what was trained on alone; those on later rungs follow their parents there,
        the better half of them."""
        following = self._compressed.next(records, unavailable, self._time_left_s())
        if following is not None:
            return following
        trained = [r for r in records if r.descent and not r.follows and r.status == Status.TRAINED]
        return self._climbing(trained, records, unavailable)

    def _finalist(self, records: list[TrialRecord], unavailable: frozenset[int]) -> TrialRecord | None:
        """The best candidate that may be trained on and fits the time left."""
        inherited = [r for r in records if r.family is not None and r.status == Status.TRAINED and self._climbs(r)]
        return self._climbing([record for record in inherited if not record.is_fixed], records, unavailable)

    def _climbing(
        self, trials: list[TrialRecord], records: list[TrialRecord], unavailable: frozenset[int]
    ) -> TrialRecord | None:
        """The next of ``trials`` that may climb: from the generation's first rung, as many as time allows, that which
        adds most to the front of those before it; from each later one the best, half of those that reached it."""
        settings, first = self.study.settings, self.generation.first_rung
        for rung in range(len(settings.rungs) - 2, first - 1, -1):
            here = [record for record in trials if record.at_rung(rung) is not None]
            if not here:
                continue
            gone = [r for r in here if r.at_rung(rung + 1) is not None or r.trial in unavailable]
            allowed = len(here) // REDUCTION if rung > first else len(here)
            if self.limits.deadline is None and rung == first:
                allowed = min(allowed, FINALISTS)
            if len(gone) >= allowed:
                continue
            if rung > first:
                order = ranked(here, rung, settings.objectives, self._baseline_db())[:allowed]
            else:
                taken = [*gone, *(r for r in records if r.is_fixed and r.at_rung(first) is not None)]
                waiting = [record for record in here if record not in gone]
                order = in_turn(waiting, taken, rung, settings.objectives, self._baseline_db())
            for record in order:
                if record not in gone and self._fits(record, records, unavailable):
                    return record
        return None

    def _fits(self, record: TrialRecord, records: list[TrialRecord], unavailable: frozenset[int]) -> bool:
        """Whether it can be trained for its next rung in the time left, by its own steps or by others' of its work; a
        compressed one, whether its parent was."""
        if record.descent is not None:
            parent = self.study.records[record.descent.parent]
            if parent.at_rung(record.next_rung) is None or not self._compressed.may_climb(record, records, unavailable):
                return False
        steps = self.study.settings.rungs[record.next_rung] - record.steps
        step_s = self._step_s(record)
        return step_s is None or steps * step_s * SAFETY < self._time_left_s()

    def _step_s(self, record: TrialRecord) -> float | None:
        """Seconds of one step of it or, by its MACs, as of others; None where none was trained."""
        if record.trial in self.step_s:
            return self.step_s[record.trial]
        timed = [(self.study.records[trial], each) for trial, each in self.step_s.items() if each]
        known = [each / other.costs.macs for other, each in timed if other.descent is None]  # taught ones take longer
        return median(known) * record.costs.macs if known else None

    def _rung_job(self, record: TrialRecord) -> RungJob:
        job, root = super()._rung_job(record), root_of(record, self.study.records)
        if root.family is None:
            return job
        first = root.first_rung
        shared_steps = self.study.settings.rungs[first]
        if record.descent is not None:
            return replace(job, shared_steps=shared_steps)  # its training goes on at the rate of its parent's
        inherits = job.rung == first
        start = bank_name(root.family, first) if inherits else measured_weights_name(record.trial, first)
        return replace(job, start=start, begun_at=shared_steps, inherits=inherits, shared_steps=shared_steps)

    def began(self, job: Job) -> None:
        if isinstance(job, BankJob):
            name = self.generation.families[job.family].name
            self.listener.sharing_began(job.number, name, len(job.designs), job.steps)
            return
        super().began(job)

    def took(self, result: Result) -> None:
        if isinstance(result, BankTooLong | BankTrained):
            self.listener.sharing_ended(result.number, self.generation.took(result))
            return
        super().took(result)

    def failed(self, failure: Failed) -> None:
        if failure.number <= FIRST_NUMBER:
            name = self.generation.families[FIRST_NUMBER - failure.number].name
            line = f"training the weights of {name} networks failed: {failure.reason}"
            self.listener.sharing_ended(failure.number, line)
            return
        super().failed(failure)

    def settled(self, failure: Failed) -> None:
        if failure.number <= FIRST_NUMBER:
            self.generation.failed(FIRST_NUMBER - failure.number, failure.reason)
            return
        super().settled(failure)
