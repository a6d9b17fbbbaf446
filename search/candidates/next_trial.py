"""The next trial to train: proposals are screened by exact costs; over-budget ones and duplicates are rejected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from search.candidates.fixed_trials import start_fixed
from search.candidates.repair import repaired
from search.candidates.screening import Screen, over_budget
from search.records import Status, TrialRecord
from search.request.budget import Budget
from search.storage.study import Study
from space.search_space import BACKBONE, SearchSpace
from space.tasks import Task

CLOSED_UNTRAINED = ("over-budget", "duplicate")
ATTEMPTS = 400  # proposals in a row that may be turned away before the space counts as exhausted
REPAIRS_IN_VAIN = 8  # over-budget proposals, in one search for a trial, near which nothing new may be found


def next_trial(study: Study, task: Task, budget: Budget, space: SearchSpace | None = None) -> TrialRecord | None:
    """The next trial to train: a queued fixed one, else the next new proposal that fits the budget.

    Proposals are points of ``space``, a part of the task's search space; of all of it if None.

    A proposal over the budget is recorded as such, and a similar network that fits is queued to come next
    (``search.candidates.repair``). Returns None after ``ATTEMPTS`` rejected proposals in a row.
    """
    screen = Screen(task, study.settings, budget)
    screen = screen if space is None else screen.within(space)
    known = {
        record.architecture.key: record
        for record in study.records.values()
        if record.status not in CLOSED_UNTRAINED and record.descent is None
    }
    repairs = REPAIRS_IN_VAIN
    for _ in range(ATTEMPTS):
        proposal = study.ask(screen)
        if proposal.fixed_record is not None:
            record = start_fixed(study, screen, proposal)
            if record.status == "failed":
                continue
            return record
        record = screen.candidate(proposal.number, screen.space.fill(proposal.choose))
        if record.status == "failed":
            study.reject(record, budget)
            continue
        same = known.get(record.architecture.key)
        if budget.broken(record.costs):
            if repairs:
                repairs -= not _queue_repaired(study, record, screen, known)
            study.reject(replace(record, status=Status.OVER_BUDGET, reason=over_budget(record.costs, budget)), budget)
        elif same is not None:
            reason = f"the same network as trial {same.trial}"
            study.reject(replace(record, status=Status.DUPLICATE, reason=reason), budget)
        else:
            study.start(record, budget)
            return record
    return None


def _queue_repaired(study: Study, record: TrialRecord, screen: Screen, known: Mapping[str, TrialRecord]) -> bool:
    """Queue a new network near ``record`` that fits the budget, or one of another backbone where none of its own does;
    whether there was one."""
    own, space = record.knobs[BACKBONE], screen.space
    generator = np.random.default_rng((study.settings.seed, record.trial))
    others = [name for name in generator.permutation(screen.task.backbones).tolist() if name != own]
    for name in (own, *others):
        wanted = record.knobs if name == own else space.random(generator, {BACKBONE: name})
        near = repaired(wanted, screen, generator, known.keys())
        if near is not None:
            study.enqueue_knobs(space.parameters_of(near))
            return True
    return False
