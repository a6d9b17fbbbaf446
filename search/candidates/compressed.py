"""Compressed variants of candidates: which one comes next, from which weights, and what they have cost so far.

A candidate that was promoted gets children, each a trial of its own; where weights are shared, promoted is one that was
trained on alone from what it inherited:

- ``int8``: the same network in int8, measured with the parent's weights on every rung that the parent reaches; the
  papers' networks get it too, or they would be compared in another format;
- ``prune``: fewer channels, from the parent's weights one rung below, trained on until it has had as many steps in all
  as every other network of that rung;
- ``distil``: the same network, from its weights one rung below, taught by the best larger one of the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from evaluators.compression.compression import DISTIL, INT8, PRUNE, Compression
from search.candidates.screening import Screen, over_budget
from search.records import SEARCHED, SHARED, Descent, Status, TrialRecord
from search.rungs import ranked
from search.storage.artifacts import measured_weights_name, pruned_weights_name
from search.storage.note_names import PRUNED_S
from search.storage.shared_notes import beginnings
from search.storage.study import Study
from search.workers.pruning import PrunedNetwork, PruneJob
from space.architecture import Architecture

RATIOS = (0.5, 0.25)
"""Shares of channels that go. A child has half of its training behind it when it loses them. More was not tried: it
leaves less to train on, in as few steps."""
FIRST_RUNG = 1  # a candidate is compressed when it was promoted, not before
TEACHES_BY_DB = 0.1  # that a teacher is better at least, twice the seed noise


@dataclass(frozen=True)
class Variant:
    """One that could be made: the trial ``parent`` by ``how``; of ``prune`` the share ``ratio``, of ``distil`` the
    ``teacher``."""

    parent: TrialRecord
    how: str
    ratio: float = 0.0
    teacher: TrialRecord | None = None


class Compressor:
    """Makes the compressed trials of one run."""

    def __init__(self, study: Study, screen: Screen) -> None:
        self._study, self._screen = study, screen
        self._settings = study.settings

    def variants(self) -> Iterator[Variant]:
        """Those that are not there yet: int8, which is only measured, before all others; each of the best parents
        first."""
        records = self._study.records.values()
        made = {(each.parent, each.descent.how, each.compression.pruned) for each in records if each.descent}
        parents = self._parents()
        for how in (how for how in (INT8, PRUNE, DISTIL) if how in self._settings.compress):
            for parent in (*parents, *self._papers()) if how == INT8 else parents:
                if how == INT8:
                    if parent.compression.dtype != INT8 and (parent.trial, INT8, parent.compression.pruned) not in made:
                        yield Variant(parent, INT8)
                elif parent.descent is None and parent.rungs[-1].rung >= self._promoted_to:
                    yield from self._trained(parent, how, made)

    def _trained(self, parent: TrialRecord, how: str, made: set[tuple[int | None, str, float]]) -> Iterator[Variant]:
        if how == PRUNE:
            first, *others = np.random.default_rng((self._settings.seed, parent.trial)).permutation(RATIOS).tolist()
            tried = [ratio for ratio in (first, *others) if (parent.trial, PRUNE, ratio) in made]
            # The second ratio waits until the parent has climbed on.
            if len(tried) < min(len(RATIOS), 1 + parent.rungs[-1].rung - self._promoted_to):
                yield Variant(parent, PRUNE, next(ratio for ratio in (first, *others) if ratio not in tried))
        elif (parent.trial, DISTIL, 0.0) not in made:
            teacher = self._teacher(parent)
            if teacher is not None:
                yield Variant(parent, DISTIL, teacher=teacher)

    def _parents(self) -> list[TrialRecord]:
        """Searched trials that were promoted, those on the highest rung first and the best of each first."""
        settings = self._settings
        trained = [
            each
            for each in self._study.records.values()
            if each.source == SEARCHED and each.status == Status.TRAINED and each.rungs and not each.follows
        ]
        found: list[TrialRecord] = []
        for rung in range(len(settings.rungs) - 1, self._first_rung - 1, -1):
            here = [each for each in trained if each.rungs[-1].rung == rung]
            if here:
                found += ranked(here, rung, settings.objectives)
        return found

    def _papers(self) -> list[TrialRecord]:
        """The papers' networks on the same rungs, which int8 serves as it serves those that were found."""
        fixed = (each for each in self._study.records.values() if each.is_fixed and each.status == Status.TRAINED)
        there = (each for each in fixed if each.rungs[-1].rung >= self._first_rung)
        return sorted(there, key=lambda each: each.trial)

    @property
    def _first_rung(self) -> int:
        """On which a trial is compressed at first. A ladder of one rung has no promotion; what is inherited there, or
        in a later generation, is compressed nowhere."""
        settings = self._study.settings
        if settings.evaluator == SHARED:
            return beginnings(self._study)[-1].rung + FIRST_RUNG
        return min(FIRST_RUNG, len(settings.rungs) - 1)

    @property
    def _promoted_to(self) -> int:
        """The lowest rung for which a trial was trained on."""
        return max(FIRST_RUNG, self._first_rung)

    def _teacher(self, student: TrialRecord) -> TrialRecord | None:
        """The best trial that has reached the student's rung, costs more than it, and is clearly better."""
        rung, own_db = student.rungs[-1].rung, student.rungs[-1].psnr_db
        shape = student.architecture.shape
        if shape.specialists > 1:
            return None  # which are taught a noise level each

        def is_better(each: TrialRecord) -> bool:
            result = each.at_rung(rung)
            return (
                result is not None
                and each.architecture.shape == shape
                and not each.follows
                and each.costs.macs > student.costs.macs
                and result.psnr_db > own_db + TEACHES_BY_DB
            )

        better = filter(is_better, self._study.records.values())
        return max(better, key=lambda each: (each.rungs[-1].rung, each.rungs[-1].psnr_db), default=None)

    def prune_job(self, variant: Variant, number: int) -> PruneJob:
        """What a worker has to do before the trial can be."""
        parent, settings = variant.parent, self._settings
        return PruneJob(
            number=number,
            network=parent.architecture.key,
            parent=parent.trial,
            ratio=variant.ratio,
            architecture=parent.architecture,
            weights=measured_weights_name(parent.trial, parent.rungs[-1].rung - 1),
            pruned=pruned_weights_name(parent.trial, variant.ratio),
            objective=settings.objectives[1],
            input_size=settings.input_size,
            tables=settings.tables,
            dtype=settings.dtype,
        )

    def made(self, variant: Variant) -> TrialRecord:
        """The trial of a variant that needs no pruning."""
        parent = variant.parent
        if variant.how == INT8:
            compression = Compression(parent.compression.pruned, INT8, taught_by=parent.compression.taught_by)
            last = parent.rungs[-1]
            first = next(each for each in parent.rungs if each.rung >= self._promoted_to or each is last)
            descent = Descent(parent.trial, INT8, first.rung, first.steps)
        else:
            assert variant.teacher is not None
            compression = Compression(dtype=self._settings.dtype, taught_by=f"#{variant.teacher.trial}")
            descent = self._one_below(parent, DISTIL, variant.teacher.trial)
        return self._child(parent.architecture, compression, descent)

    def pruned(self, result: PrunedNetwork) -> TrialRecord:
        """The trial of a network that was pruned; one that is closed where nothing could be saved."""
        self._study.note(PRUNED_S, self._study.noted(PRUNED_S, 0.0) + result.seconds)
        parent = self._study.records[result.parent]
        compression = Compression(result.ratio, self._settings.dtype)
        descent = self._one_below(parent, PRUNE)
        if result.architecture is None:
            same = self._screen.child(parent.architecture, compression, descent)
            reason = f"no channels could go such that {self._settings.objectives[1]} falls"
            return self._study.begin(replace(same, status=Status.DUPLICATE, reason=reason), self._screen.budget)
        return self._child(result.architecture, compression, descent)

    def unprunable(self, parent: int, reason: str) -> None:
        """Write down that pruning the trial ``parent`` failed, so that it is not tried again."""
        records = self._study.records
        variant = next(each for each in self.variants() if each.parent.trial == parent and each.how == PRUNE)
        child = self._screen.child(
            records[parent].architecture,
            Compression(variant.ratio, self._settings.dtype),
            self._one_below(records[parent], PRUNE),
        )
        self._study.begin(replace(child, status=Status.FAILED, reason=reason), self._screen.budget)

    def _one_below(self, parent: TrialRecord, how: str, teacher: int | None = None) -> Descent:
        rung = parent.rungs[-1].rung
        return Descent(parent.trial, how, rung, self._settings.rungs[rung - 1], teacher)

    def _child(self, arch: Architecture, compression: Compression, descent: Descent) -> TrialRecord:
        """The new trial, to be trained, or closed where it is over the budget or there already."""
        record, budget = self._screen.child(arch, compression, descent), self._screen.budget
        begun = beginnings(self._study)[-1].rung
        known = (each for each in self._study.records.values() if each.begins_on >= begun)
        same = next((each for each in known if each.as_design == record.as_design), None)
        if record.status == Status.RUNNING and budget.broken(record.costs):
            record = replace(record, status=Status.OVER_BUDGET, reason=over_budget(record.costs, budget))
        elif record.status == Status.RUNNING and same is not None:
            record = replace(record, status=Status.DUPLICATE, reason=f"the same network as trial {same.trial}")
        return self._study.begin(record, budget)


def start_weights(record: TrialRecord) -> str:
    """The name of the artifact that a compressed trial's next rung begins with; empty of one that is no child."""
    descent = record.descent
    if descent is None:
        return ""
    if descent.how == INT8:
        return measured_weights_name(descent.parent, record.next_rung)
    if descent.how == PRUNE:
        return pruned_weights_name(descent.parent, record.compression.pruned)
    return measured_weights_name(descent.parent, descent.rung - 1)


def taught_from(teacher: TrialRecord, descent: Descent) -> tuple[Architecture, str]:
    """The network that teaches a trial, and the artifact with the weights that it had when that was decided."""
    return teacher.architecture, measured_weights_name(teacher.trial, descent.rung)


def root_of(record: TrialRecord, records: Mapping[int, TrialRecord]) -> TrialRecord:
    """The trial that a compressed one was made of, at first; of another, itself."""
    while record.parent is not None:
        record = records[record.parent]
    return record


def can_follow(record: TrialRecord, records: Mapping[int, TrialRecord]) -> bool:
    """Whether an int8 trial's parent has reached a rung that it has not been measured on."""
    parent = records.get(record.parent if record.parent is not None else -1)
    return parent is not None and record.status != Status.FAILED and parent.at_rung(record.next_rung) is not None


def seconds_of(records: Iterable[TrialRecord]) -> float:
    """What training and measuring them has taken."""
    return sum(result.train_s + result.eval_s for record in records for result in record.rungs)
