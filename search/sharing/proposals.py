"""The next candidate of a search with shared weights: it inherits all of its own, and is only measured."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from search.candidates.fixed_trials import start_fixed
from search.candidates.next_trial import CLOSED_UNTRAINED, REPAIRS_IN_VAIN
from search.candidates.repair import repaired
from search.candidates.screening import Screen, over_budget
from search.records import Status, TrialRecord
from search.sharing.generation import Generation
from search.storage.study import Study

ATTEMPTS = 60
"""Proposals in a row that may be turned away before the families count as exhausted: a family of two numbers has a few
dozen networks, soon all measured."""


def next_inherited(study: Study, screen: Screen, generation: Generation) -> TrialRecord | None:
    """The next queued published network, or the next new proposal in a family that fits the budget.

    What is not measured is written down: a proposal over the budget, near which one that fits is queued; the network
    of another trial; one whose weights are not all among the shared ones. Returns None after ``ATTEMPTS`` of them.
    """
    known = {
        record.architecture.key: record
        for record in study.records.values()
        if record.status not in (*CLOSED_UNTRAINED, Status.UNCOVERED) and record.descent is None
        if record.family is None or record.first_rung == generation.first_rung
    }
    repairs, space = REPAIRS_IN_VAIN, screen.space
    for _ in range(ATTEMPTS):
        family = generation.proposed_from(len(study.trials()))
        proposal = study.ask(screen if family is None else screen.within(generation.families[family].space(space)))
        if proposal.fixed_record is not None:
            record = start_fixed(study, screen, proposal)
            if record.status == Status.FAILED:
                continue
            return record
        values = space.fill(proposal.choose)
        index = generation.index_of(values)
        record = replace(screen.candidate(proposal.number, values), family=index, first_rung=generation.first_rung)
        same = known.get(record.architecture.key)
        if record.status == Status.FAILED:
            study.reject(record, screen.budget)
        elif screen.budget.broken(record.costs):
            if repairs and index is not None:
                part = screen.within(generation.families[index].space(space))
                repairs -= not _queue_repaired(study, record, part, known)
            reason = over_budget(record.costs, screen.budget)
            study.reject(replace(record, status=Status.OVER_BUDGET, reason=reason), screen.budget)
        elif same is not None:
            reason = f"the same network as trial {same.trial}"
            study.reject(replace(record, status=Status.DUPLICATE, reason=reason), screen.budget)
        elif index is None or not generation.covers(index, record.architecture):
            if repairs and index is None and family is not None:
                near = generation.families[family].within_reach(space, values)
                repairs -= space.decode(near).key in known
                study.enqueue_knobs(space.parameters_of(near))
            reason = "its weights are not all among the shared ones"
            study.reject(replace(record, status=Status.UNCOVERED, reason=reason, family=None), screen.budget)
        else:
            study.start(record, screen.budget)
            return record
    return None


def next_published(study: Study, screen: Screen) -> TrialRecord | None:
    """The next queued published network, before whatever else is queued; None where none is."""
    while (proposal := study.ask_published()) is not None:
        record = start_fixed(study, screen, proposal)
        if record.status != Status.FAILED:
            return record
    return None


def _queue_repaired(study: Study, record: TrialRecord, part: Screen, known: Collection[str]) -> bool:
    """Queue a new network of the same family near ``record`` that fits the budget; whether there was one."""
    generator = np.random.default_rng((study.settings.seed, record.trial))
    near = repaired(record.knobs, part, generator, known)
    if near is None:
        return False
    study.enqueue_knobs(part.space.parameters_of(near))
    return True
