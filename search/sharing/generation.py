"""The families of a run: which networks share weights, on what they are trained, and what has become of it.

It lives in the notes of the run's study, so that a continued run has the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from evaluators.sharing.bank_files import read_bank
from evaluators.sharing.trainer import BETWEEN
from search.candidates.fixed_trials import fixed_trials
from search.candidates.screening import Screen
from search.pareto import losses_at_rung, non_dominated_ranks
from search.records import Status, TrialRecord
from search.sharing.designs import can_share, designs_of
from search.storage import shared_notes
from search.storage.artifacts import ArtifactStore, bank_name
from search.storage.study import Study
from search.workers.bank_jobs import BankTrained
from space.architecture import Architecture
from space.errors import UserError
from space.knobs import Value
from space.search_space import BACKBONE
from space.weight_bank import WeightBank
from space.weight_bank.families import Family


class Generation:
    """Families, each with one set of weights."""

    def __init__(self, study: Study, screen: Screen, artifacts: ArtifactStore) -> None:
        self._study, self._screen, self._artifacts = study, screen, artifacts
        self.families = shared_notes.families(study)
        self._banks: dict[int, WeightBank] = {}

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

    def is_settled(self, index: int) -> bool:
        """Whether its weights are trained, or never will be."""
        return shared_notes.outcome(self._study, index) is not None

    def is_trained(self, index: int) -> bool:
        over = shared_notes.outcome(self._study, index)
        return over is not None and "failed" not in over

    @property
    def trained(self) -> tuple[int, ...]:
        return tuple(index for index in range(len(self.families)) if self.is_trained(index))

    def took(self, result: BankTrained) -> None:
        lowered = {} if result.lowered_at is None else {"lowered_at": result.lowered_at}
        shared_notes.note_outcome(self._study, result.family, train_s=round(result.train_s, 1), **lowered)

    def failed(self, index: int, reason: str) -> None:
        shared_notes.note_outcome(self._study, index, failed=reason)

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
            path = self._artifacts.get(bank_name(index))
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
        measured = [
            record for record in self._study.records.values() if record.family is not None and record.at_rung(0)
        ]
        found = dict.fromkeys(self.trained, 1)
        if measured:
            ranks = non_dominated_ranks(losses_at_rung(measured, 0, self._study.settings.objectives))
            for record, rank in zip(measured, ranks, strict=True):
                if rank == 0 and record.family in found:
                    found[record.family] += 1
        return found

    @property
    def longest_s(self) -> float:
        """What the training of the trained family took that took longest; 0 before there is one."""
        outcomes = (shared_notes.outcome(self._study, index) or {} for index in self.trained)
        return max((over["train_s"] for over in outcomes), default=0.0)

    def alone(self) -> list[TrialRecord]:
        """The published networks that are trained alone from the first: as published, and those of no family."""
        return [record for record in self._fixed() if self.family_of(record) is None]

    def inheriting(self) -> list[TrialRecord]:
        """The other ones, which belong to a family."""
        return [record for record in self._fixed() if self.family_of(record) is not None]

    def papers(self, index: int) -> list[TrialRecord]:
        """Those of a family that is settled; where it is not trained they have none."""
        found = [record for record in self.inheriting() if self.family_of(record) == index]
        trained = self.is_trained(index)
        return [
            replace(record, family=index if trained and self.covers(index, record.architecture) else None)
            for record in found
        ]

    def macs_of(self, designs: Sequence[Architecture]) -> float:
        """Of a step of a training on ``designs``, for as many pixels as costs are given for."""
        macs = [self._screen.costs(arch).macs for arch in designs]
        return macs[0] + macs[-1] + BETWEEN * sum(macs) / len(macs)

    def seconds_per_mac(self) -> float | None:
        """The largest of what the trained families took; None before there is one."""
        found = []
        for index in self.trained:
            over = shared_notes.outcome(self._study, index) or {}
            steps = self.macs_of(self.designs(index)) * self._study.settings.rungs[0]
            found.append(over["train_s"] / steps)
        return max(found, default=None)
