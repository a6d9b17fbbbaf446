"""When compressed trials come: as soon as their parents allow it, and never for more than their share of the time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from evaluators.compression.compression import DISTIL, INT8, PRUNE
from search.candidates.compressed import Compressor, Variant, can_follow, seconds_of
from search.candidates.screening import Screen
from search.records import Status, TrialRecord
from search.rungs import SAFETY
from search.storage.note_names import PRUNED_S
from search.storage.shared_notes import shared_weights
from search.storage.study import Study
from search.workers.pruning import PrunedNetwork, PruneJob

MEASURED_LONGER = 8  # times as long as in float: int8 is calibrated, and every value rounded one by one
TAUGHT_LONGER = 2  # with a teacher, whose forward pass costs about as much as a step without one
FIRST_NUMBER = -2  # of the jobs that prune, which are of no trial: one of each parent


def number_of(parent: int) -> int:
    """Of the job that prunes the trial ``parent``."""
    return FIRST_NUMBER - parent


def parent_of(number: int) -> int:
    """The inverse of ``number_of``."""
    return FIRST_NUMBER - number


@dataclass
class CompressionSchedule:
    """The compressed trials of one run; ``step_s`` are seconds of a training step by trial, which others keep up."""

    study: Study
    screen: Screen
    step_s: Mapping[int, float]
    _compressor: Compressor = field(init=False)

    def __post_init__(self) -> None:
        self._compressor = Compressor(self.study, self.screen)

    def next(
        self, records: list[TrialRecord], unavailable: frozenset[int], left_s: float
    ) -> TrialRecord | PruneJob | None:
        """The next compressed trial to measure or train, or what has to be pruned for one; None where nothing can be
        compressed, or their share of the time is used up."""
        if not self.study.settings.compress:
            return None
        for record in records:
            follows = record.follows and record.trial not in unavailable and can_follow(record, self.study.records)
            if follows and self.may_climb(record, records, unavailable):
                return record
        for variant in self._compressor.variants():
            needed_s = self._seconds_of(variant)
            if needed_s * SAFETY > left_s or not self._has_share(needed_s, records, unavailable):
                continue
            if variant.how == PRUNE:
                if number_of(variant.parent.trial) in unavailable:
                    continue
                return self._compressor.prune_job(variant, number_of(variant.parent.trial))
            made = self._compressor.made(variant)
            if made.status == Status.RUNNING:
                return made
        return None

    def may_climb(self, record: TrialRecord, records: list[TrialRecord], unavailable: frozenset[int]) -> bool:
        """Whether a compressed trial that was measured may go on to its next rung."""
        return self._has_share(self._seconds_on(record), records, unavailable)

    def pruned(self, result: PrunedNetwork) -> None:
        """A worker has pruned a network: it becomes a trial."""
        self._compressor.pruned(result)

    def unprunable(self, parent: int, reason: str) -> None:
        """Pruning the trial ``parent`` failed, and is not tried again."""
        self._compressor.unprunable(parent, reason)

    def _has_share(self, needed_s: float, records: list[TrialRecord], unavailable: frozenset[int]) -> bool:
        """Whether compressed trials may take ``needed_s`` more of all the time of training and measuring."""
        in_work = sum(self._seconds_on(each) for each in records if each.descent and each.trial in unavailable)
        own = seconds_of(each for each in records if each.descent)
        pruning_s = self.study.noted(PRUNED_S, 0.0)
        sharing_s = sum(each.train_s for each in shared_weights(self.study))
        whole = seconds_of(records) + sharing_s + pruning_s + in_work + needed_s
        return math.fsum((own, pruning_s, in_work, needed_s)) <= self.study.settings.compress_share * whole

    def _seconds_of(self, variant: Variant) -> float:
        """About how long it takes to train and measure it on its first rung."""
        parent, rungs = variant.parent, self.study.settings.rungs
        measuring = parent.rungs[-1].eval_s
        if variant.how == INT8:
            return MEASURED_LONGER * measuring
        rung = parent.rungs[-1].rung
        longer = TAUGHT_LONGER if variant.how == DISTIL else 1
        return (rungs[rung] - rungs[rung - 1]) * self.step_s.get(parent.trial, 0.0) * longer + measuring

    def _seconds_on(self, record: TrialRecord) -> float:
        """About how long a trial takes on its next rung."""
        rungs = self.study.settings.rungs
        if record.next_rung >= len(rungs):
            return 0.0
        measuring = record.rungs[-1].eval_s if record.rungs else 0.0
        if record.follows:
            return measuring
        step_s = self.step_s.get(record.trial, self.step_s.get(record.parent or 0, 0.0))
        return (rungs[record.next_rung] - record.steps) * step_s + measuring
