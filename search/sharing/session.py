"""A session of a run with shared weights: its plan, its queue and its loop."""

from __future__ import annotations

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
from search.sharing.planning import Plan, decide, generation_after
from search.sharing.queueing import reconsider
from search.storage.artifacts import ArtifactStore
from search.storage.note_names import ELAPSED_S
from search.storage.shared_notes import Beginning, begin, beginnings
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
    _complete(study)
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
    if request.rungs is not None:
        if len(request.rungs) > len(study.settings.rungs):
            study.extend(request.rungs)
    else:
        generation = _lasting(study, generation, screen, artifacts, plan, request.time_s, listener)
    reconsider(study, generation)
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
        time_s=None if request.time_s is None else request.time_s - generation.begun_s,
        most_families=plan.families if generation.is_first else 0,
    )


def _lasting(
    study: Study,
    generation: Generation,
    screen: Screen,
    artifacts: ArtifactStore,
    plan: Plan,
    time_s: float | None,
    listener: Listener,
) -> Generation:
    """``generation``, or a new one where the time has doubled since; the study then has its rungs."""
    planned_s = study.noted(PLANNED_NOTE)
    if len(study.settings.rungs) < len(plan.rungs):
        study.extend(plan.rungs)
    if time_s is None or planned_s is None:
        study.note(PLANNED_NOTE, time_s)
    else:
        steps = generation_after(plan, planned_s, time_s)
        if steps[0] > study.settings.rungs[-1]:
            families = generation.worth_going_on() or tuple(range(len(generation.families)))
            begin(study, Beginning(len(study.settings.rungs), steps, study.noted(ELAPSED_S, 0.0), families))
            _complete(study)
            generation = Generation(study, screen, artifacts)
            listener.said(
                f"a new generation: shared weights are trained on to {steps[0]:,} steps; what they gave before is not "
                "compared with what they give then"
            )
    return generation


def _resume_alone(study: Study, screen: Screen) -> None:
    """Write down once more a published network that a kill caught between the queue and its training."""
    for record in list(study.records.values()):
        if record.is_fixed and record.status == Status.RUNNING and not record.rungs:
            start_fixed(study, screen, study.interrupted(record.trial))


def _complete(study: Study) -> None:
    """Add the rungs of a generation that a kill caught at its beginning."""
    begun = beginnings(study)[-1]
    if begun.steps is not None and len(study.settings.rungs) == begun.rung:
        study.extend((*study.settings.rungs, *begun.steps))
