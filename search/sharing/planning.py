"""How a run with shared weights divides its time: how many families, and how long each is trained."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from evaluators.compression.compression import DISTIL, PRUNE
from search.compression_schedule import TAUGHT_LONGER
from search.records import RunSettings
from search.rungs import SAFETY
from search.sessions.step_timing import timed
from search.sharing.generation import Generation
from search.storage.study import Study
from search.workers.protocol import Workers

TRAINING_SHARE = 0.8  # of the time, for shared weights and for published networks
FINAL_SHARE = 0.25  # of the time, kept for training the best candidates on alone
LIKE_A_FINALIST = {PRUNE: 1, DISTIL: TAUGHT_LONGER}  # as long as one: a variant of it; int8 is only measured
ENOUGH_STEPS = 650  # of a family's training in a run of ``REFERENCE_S``, before there are more families
REFERENCE_S = 1_200  # core-seconds of the default run on two cores
FAMILY_SHARE = 0.45  # of the time by the clock, that one family's training may take: a family is trained by one worker
MOST_FAMILIES = 12
TUNING = 1 / 3  # of the steps of shared training: what the best candidates are trained on alone, at first
FEWEST_STEPS = 20
DRAWN = (0.0, 1 / 2, 1.0)  # of a family's designs, by cost: about what a step draws
DEFAULT_FAMILIES, DEFAULT_STEPS = 2, 800  # where no time limit says otherwise
NOTE = "shared_plan"


@dataclass(frozen=True)
class Plan:
    """``rungs`` are steps in all: of shared training, and then with those alone."""

    families: int
    rungs: tuple[int, ...]


def fitted(
    time_s: float, workers: int, family_step_s: float, alone_step_s: float, inheriting_step_s: float = 0.0
) -> Plan:
    """The plan that fits the time: more of it goes half into more families, half into longer training of each.

    Args:
        time_s: by the clock.
        family_step_s: of one step of a family's training.
        alone_step_s: of one step of every published network that is trained alone, added up.
        inheriting_step_s: of every other, which is only trained on.
    """
    core_s, papers_s = time_s * workers, (1 + TUNING) * alone_step_s + TUNING * inheriting_step_s
    wanted = ENOUGH_STEPS * math.sqrt(core_s / REFERENCE_S)
    count, steps = 1, TRAINING_SHARE * core_s / (papers_s + family_step_s)
    while count < MOST_FAMILIES:
        more = TRAINING_SHARE * core_s / (papers_s + (count + 1) * family_step_s)
        if more < wanted:
            break
        count, steps = count + 1, more
    shared = max(FEWEST_STEPS, int(min(steps, FAMILY_SHARE * time_s / family_step_s)))
    return Plan(count, (shared, shared + max(1, round(TUNING * shared))))


def compressed_share(settings: RunSettings) -> float:
    """Of the time, what is kept for compressed variants of the best candidates: for one of each kind that is trained,
    and no more than they may take."""
    return min(settings.compress_share, FINAL_SHARE * sum(LIKE_A_FINALIST.get(how, 0) for how in settings.compress))


def kept_share(settings: RunSettings) -> float:
    """Of the time, what is kept for the best candidates and their variants."""
    variants = compressed_share(settings)
    return variants + (1 - variants) * FINAL_SHARE


def generation_after(plan: Plan, planned_s: float, time_s: float) -> tuple[int, ...]:
    """The rungs of the generation that a run planned for ``planned_s`` should have once its time is ``time_s``: twice
    the steps for each doubling.

    Further families would teach less: on a front of the three of a default run the area is 1.488 dB x decades after 600
    steps of shared training and 1.299 after 300; with all 36 families of the table, after 300 steps, 1.326 (``python -m
    tests.benchmarks.inherited_table``).
    """
    doublings = max(0, int(math.log2(time_s / planned_s)))
    return tuple(steps * 2**doublings for steps in plan.rungs)


def decide(
    study: Study,
    generation: Generation,
    workers: Workers,
    time_s: float | None,
    rungs: tuple[int, ...] | None,
    is_over: Callable[[], bool],
) -> Plan | None:
    """The plan of a run whose ``generation`` has the first family; None if the session ends before it is made.

    Args:
        time_s: by the clock; None where there is no limit.
        rungs: as asked for; None to fit them to the time.

    Raises:
        TimingFailedError: no network can be trained.
    """
    noted = study.noted(NOTE)
    if noted is not None:
        return Plan(noted["families"], tuple(noted["rungs"]))
    if rungs is not None or time_s is None:
        default = (DEFAULT_STEPS, round((1 + TUNING) * DEFAULT_STEPS))
        plan = Plan(DEFAULT_FAMILIES, rungs or default)
    else:
        step_s = _step_seconds(generation, workers, is_over)
        if step_s is None:
            return None
        others_s = time_s * (1 - compressed_share(study.settings))
        plan = fitted(others_s, study.settings.workers, *step_s)
    study.note(NOTE, {"families": plan.families, "rungs": list(plan.rungs)})
    return plan


def _step_seconds(
    generation: Generation, workers: Workers, is_over: Callable[[], bool]
) -> tuple[float, float, float] | None:
    """Seconds of a step of a family's training, of one of every published network that is trained alone, and of every
    other, added up."""
    designs = generation.designs(0)
    drawn = [designs[round(share * (len(designs) - 1))] for share in DRAWN]
    alone = [record.architecture for record in generation.alone()]
    others = [record.architecture for record in generation.inheriting()]
    measured = timed(workers, (*drawn, *alone, *others), is_over)
    if measured is None:
        return None
    seconds = [each or 0.0 for each in measured]
    first_other = len(drawn) + len(alone)
    parts = seconds[: len(drawn)], seconds[len(drawn) : first_other], seconds[first_other:]
    family_s, alone_s, others_s = (SAFETY * sum(part) for part in parts)
    return family_s, alone_s, others_s
