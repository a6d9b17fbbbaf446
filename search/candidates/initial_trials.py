"""The queue that a run begins with: fixed trials, then the points from which the search starts."""

from __future__ import annotations

from search.candidates.fixed_trials import fixed_trials, start_fixed
from search.candidates.initial_points import initial_points, narrow_first
from search.candidates.screening import Screen
from search.request.budget import Budget
from search.storage.study import Study
from space.tasks import Task


def enqueue_initial(study: Study, task: Task, budget: Budget) -> None:
    """Queue the fixed trials that the storage does not have yet, narrow networks first, and then the initial points.

    One that a kill caught between the queue and its training is written down once more.
    """
    screen = Screen(task, study.settings, budget)
    for record in list(study.records.values()):
        if record.is_fixed and record.status == "running" and not record.rungs:
            start_fixed(study, screen, study.interrupted(record.trial))
    known, space = study.sources(), screen.space
    trials = sorted(fixed_trials(task, study.settings, budget), key=narrow_first)
    for record in trials:
        if record.source not in known:
            study.enqueue(record, space.parameters_of(record.knobs))
    if not (study.noted("neighbours_queued") or study.noted("starts_queued")):
        for values in initial_points(trials, screen):
            study.enqueue_knobs(space.parameters_of(values))
        study.note("starts_queued", True)
