"""The families of a run: which networks share weights, on what they are trained, and what has become of it.

It lives in the notes of the run's study, so that a continued run has the same. A later generation has the same
families, trained on to more steps; what was measured before is not compared with what they have then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from evaluators.sharing.bank_files import read_bank
from search.candidates.fixed_trials import fixed_trials
from search.candidates.screening import Screen
from search.durations import duration_text
from search.pareto import losses_at_rung, non_dominated_ranks
from search.records import Status, TrialRecord
from search.sharing.designs import can_share, designs_of
from search.storage import shared_notes
from search.storage.artifacts import ArtifactStore, bank_name
from search.storage.study import Study
from search.workers.bank_jobs import BankTooLong, BankTrained
from space.architecture import Architecture
from space.errors import UserError
from space.knobs import Value
from space.search_space import BACKBONE
from space.weight_bank import WeightBank
from space.weight_bank.families import Family

TOO_LONG = "its training would take"  # how the reason begins of a family that there was no time for


class Generation:
    """The last generation of a run: families, each with one set of weights.

    Attributes:
        first_rung: on which its inherited quality is measured.
        begun_s: the run's time by the clock when it began.
    """

    def __init__(self, study: Study, screen: Screen, artifacts: ArtifactStore) -> None:
        self._study, self._screen, self._artifacts = study, screen, artifacts
        self.families = shared_notes.families(study)
        begun = shared_notes.beginnings(study)[-1]
        self.first_rung, self.begun_s, self._members = begun.rung, begun.begun_s, begun.families
        self._banks: dict[int, WeightBank] = {}

    @property
    def steps(self) -> int:
        """Of the shared training, in all."""
        return self._study.settings.rungs[self.first_rung]

    @property
    def is_first(self) -> bool:
        return self.first_rung == 0

    def decide(self, families: Sequence[Family]) -> None:
        """These are its families; of a run they do not change once their training has begun, but for further ones."""
        self.families = tuple(families)
        shared_notes.note_families(self._study, families)

    def designs(self, index: int) -> tuple[Architecture, ...]:
        """On which the weights of a family are trained, cheapest first; () if hardly one fits the budget."""
        noted = shared_notes.designs(self._study, index)
        if noted is None:
            settings = self._study.settings
            family, generator = self.families[index], np.random.default_rng((settings.seed, index))
            part = self._screen.within(family.space(self._screen.space))
            own = [record.architecture for record in self._papers(family)]
            noted = designs_of(part, generator, family.largest(self._screen.space), own)
            shared_notes.note_designs(self._study, index, noted)
        return noted

    def _outcome(self, index: int) -> dict[str, Any] | None:
        return shared_notes.outcome(self._study, index, self.first_rung)

    def is_settled(self, index: int) -> bool:
        """Whether its weights are trained, or never will be."""
        return self._outcome(index) is not None or (self._members is not None and index not in self._members)

    @property
    def is_all_settled(self) -> bool:
        """Whether that is so of every family."""
        return all(map(self.is_settled, range(len(self.families))))

    def is_trained(self, index: int) -> bool:
        return _is_good(self._outcome(index))

    @property
    def trained(self) -> tuple[int, ...]:
        return tuple(index for index in range(len(self.families)) if self.is_trained(index))

    def took(self, result: BankTrained | BankTooLong) -> str:
        """Write down what has become of a family's training; returns a line that says so."""
        name = self.families[result.family].name
        if isinstance(result, BankTooLong):
            needed = duration_text(result.needed_s)
            self.too_long(result.family, f"{needed}, more time than is left for it")
            return f"left out {name} networks: training would take {needed}"
        took = {"train_s": round(result.train_s, 1), "steps_made": result.steps_made}
        lowered = {} if result.lowered_at is None else {"lowered_at": result.lowered_at}
        shared_notes.note_outcome(self._study, result.family, self.first_rung, **took, **lowered)
        diverged = f"; it diverged, and went on from step {result.lowered_at:,} at half the rate" if lowered else ""
        return f"trained the weights of {name} networks ({result.train_s:.1f} s{diverged})"

    def failed(self, index: int, reason: str) -> None:
        shared_notes.note_outcome(self._study, index, self.first_rung, failed=reason)

    def too_long(self, index: int, needed: str) -> None:
        """Its training ``needed`` more time than there was; ``reconsider`` brings it back."""
        self.failed(index, f"{TOO_LONG} {needed}")

    def reconsider(self) -> tuple[int, ...]:
        """Let a new session, which may have more time, try again what was too long for earlier ones."""
        found = []
        for index in range(len(self.families)):
            if (self._outcome(index) or {}).get("failed", "").startswith(TOO_LONG):
                shared_notes.forget_outcome(self._study, index, self.first_rung)
                found.append(index)
        return tuple(found)

    def index_of(self, values: Mapping[str, Value]) -> int | None:
        """The family that a point of the search space belongs to."""
        return next((index for index, family in enumerate(self.families) if family.holds(values)), None)

    def covers(self, index: int, arch: Architecture) -> bool:
        """Whether ``arch`` can inherit all its weights from a trained family."""
        try:
            return self.bank(index).covers(arch)
        except UserError:
            return False

    def bank(self, index: int) -> WeightBank:
        if index not in self._banks:
            path = self._artifacts.get(bank_name(index, self.first_rung))
            if path is None:
                raise UserError(f"the weights of family {index + 1} must be in the run's folder, got none")
            self._banks[index] = read_bank(path)
        return self._banks[index]

    def family_of(self, record: TrialRecord) -> int | None:
        """The family that a published network may inherit from: only one with our input skip, never as published."""
        if BACKBONE not in record.knobs or record.architecture.lacks_input_skip or not can_share(record.architecture):
            return None
        return self.index_of(record.knobs)

    def _papers(self, family: Family) -> list[TrialRecord]:
        """The published networks of the run that belong to it."""
        index = self.families.index(family)
        return [record for record in self._fixed() if self.family_of(record) == index]

    def _fixed(self) -> list[TrialRecord]:
        settings = self._study.settings
        found = fixed_trials(self._screen.task, settings, self._screen.budget)
        return [record for record in found if record.status != Status.FAILED]

    def proposed_from(self, number: int) -> int | None:
        """The family that the proposal ``number`` is made in: more often one that has more members on the front; None
        where none is trained."""
        found = self.shares()
        if not found:
            return None
        weights = np.array(list(found.values()), dtype=float)
        generator = np.random.default_rng((self._study.settings.seed, number))
        return list(found)[int(generator.choice(len(weights), p=weights / weights.sum()))]

    def shares(self) -> dict[int, int]:
        """By trained family, one more than the members that it has on the front of all that is measured."""
        found = dict.fromkeys(self.trained, 1)
        for record in self._front(self.first_rung):
            if record.family in found:
                found[record.family] += 1
        return found

    @property
    def longest_s(self) -> float:
        """What the training of the trained family took that took longest; 0 before there is one."""
        outcomes = (self._outcome(index) or {} for index in self.trained)
        return max((over["train_s"] for over in outcomes), default=0.0)

    def seeds(self, index: int) -> tuple[Architecture, ...]:
        """Designs of a trained family that are measured first: those on the fronts of the generation before or, where
        nothing of it was measured there, those on which the weights are trained."""
        rungs = range(*(begun.rung for begun in shared_notes.beginnings(self._study)[-2:])) if self.first_rung else ()
        measured = any(record.family == index and record.rungs for record in self._study.records.values())
        if not (rungs and measured):
            return self.designs(index)
        fronts = (self._front(rung) for rung in rungs)
        return tuple(dict.fromkeys(each.architecture for front in fronts for each in front if each.family == index))

    def _front(self, rung: int) -> list[TrialRecord]:
        """Of all that inherit, cheapest first."""
        objectives = self._study.settings.objectives
        records = self._study.records.values()
        there = [each for each in records if each.family is not None and each.at_rung(rung) is not None]
        if not there:
            return []
        ranks = non_dominated_ranks(losses_at_rung(there, rung, objectives))
        members = [each for each, rank in zip(there, ranks, strict=True) if rank == 0]
        return sorted(members, key=lambda each: each.cost(objectives[1] if len(objectives) > 1 else "macs"))

    def worth_going_on(self) -> tuple[int, ...]:
        """The families that have a published network of the run, or a member on a front; and all that wait for their
        training."""
        rungs = range(self.first_rung, len(self._study.settings.rungs))
        members = {record.family for rung in rungs for record in self._front(rung)}
        papers = {self.family_of(record) for record in self.inheriting()}
        waiting = {index for index in range(len(self.families)) if not self.is_settled(index)}
        return tuple(sorted(set(self.trained) & (members | papers) | waiting))

    def alone(self) -> list[TrialRecord]:
        """The published networks that are trained alone from the first: as published, and those of no family."""
        return [record for record in self._fixed() if self.family_of(record) is None]

    def inheriting(self) -> list[TrialRecord]:
        """The other ones, which belong to a family."""
        return [record for record in self._fixed() if self.family_of(record) is not None]

    def papers(self, index: int) -> list[TrialRecord]:
        """Those of a family that is settled; where it is not trained they have none, and in a later generation they
        are left out."""
        trained, found = self.is_trained(index), []
        for record in self.inheriting():
            if self.family_of(record) == index:
                family = index if trained and self.covers(index, record.architecture) else None
                found.append(replace(record, family=family, first_rung=self.first_rung))
        return [record for record in found if self.is_first or record.family is not None]


def _is_good(outcome: Mapping[str, Any] | None) -> bool:
    return outcome is not None and "failed" not in outcome
