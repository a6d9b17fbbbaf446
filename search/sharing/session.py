"""A session of a run with shared weights: its plan, its queue and its loop."""

from __future__ import annotations

import math
from collections.abc import Callable

from search.candidates.fixed_trials import start_fixed
from search.candidates.screening import Screen
from search.loop import Limits
from search.records import Status
from search.request.request import Request
from search.sessions.progress import Listener
from search.sharing.choosing import first_families
from search.sharing.generation import Generation
from search.sharing.loop import SharingLoop
from search.sharing.planning import Plan, decide, families_after
from search.storage.artifacts import ArtifactStore
from search.storage.study import Study
from search.workers.protocol import Workers

DECIDED_NOTE = "families_decided"
PLANNED_NOTE = "shared_time_s"  # for which time by the clock the run was planned


def sharing_loop(
    study: Study,
    request: Request,
    artifacts: ArtifactStore,
    workers: Workers,
    limits: Limits,
    listener: Listener,
    interrupted: Callable[[], bool],
) -> SharingLoop | None:
    """The loop of one session of a run that ``shares_weights``; None if the session ends before there is a plan.

    Raises:
        TimingFailedError: no network can be trained.
    """
    screen = Screen(request.task, study.settings, request.budget)
    generation = Generation(study, screen, artifacts)
    if not generation.families:
        generation.decide(first_families(screen, 1))

    def is_over() -> bool:
        return interrupted() or (limits.deadline is not None and limits.deadline.is_over)

    plan = decide(study, generation, workers, request.time_s, request.rungs, is_over)
    if plan is None:
        return None
    if not study.noted(DECIDED_NOTE):
        generation.decide(first_families(screen, plan.families))
        study.note(DECIDED_NOTE, True)
    wanted = request.rungs or _lengthened(study, plan, request.time_s)
    if len(wanted) > len(study.settings.rungs):
        study.extend(wanted)
    _resume_alone(study, screen)
    return SharingLoop(
        study,
        request.task,
        request.budget,
        workers,
        limits,
        listener,
        interrupted,
        generation=generation,
        time_s=request.time_s,
        most_families=_most_families(study, plan, request.time_s),
    )


def _lengthened(study: Study, plan: Plan, time_s: float | None) -> tuple[int, ...]:
    """The plan's rungs, and one more of twice the steps alone for each doubling of the time since."""
    planned_s = study.noted(PLANNED_NOTE)
    if time_s is None or planned_s is None:
        study.note(PLANNED_NOTE, time_s)
        return plan.rungs
    shared, tuned = plan.rungs[0], plan.rungs[-1]
    doublings = max(0, int(math.log2(time_s / planned_s)))
    return (*plan.rungs, *(shared + (tuned - shared) * 2 ** (1 + index) for index in range(doublings)))


def _most_families(study: Study, plan: Plan, time_s: float | None) -> int:
    planned_s = study.noted(PLANNED_NOTE)
    return plan.families if time_s is None or planned_s is None else families_after(plan, planned_s, time_s)


def _resume_alone(study: Study, screen: Screen) -> None:
    """Write down once more a published network that a kill caught between the queue and its training."""
    for record in list(study.records.values()):
        if record.is_fixed and record.status == Status.RUNNING and not record.rungs:
            start_fixed(study, screen, study.interrupted(record.trial))
