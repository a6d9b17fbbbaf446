"""How a run with shared weights divides its time: how many families, and how long each is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np

from search.candidates.fixed_trials import fixed_trials
from search.candidates.initial_points import plain_point
from search.candidates.repair import FROM_INPUT
from search.candidates.screening import Screen
from search.records import Status
from search.rungs import SAFETY
from search.sessions.step_timing import timed
from search.sharing.designs import FEWEST, can_share, largest_of
from search.sharing.generation import Generation
from search.storage.study import Study
from search.workers.protocol import Workers
from space.knobs import SPECIALISTS, Value
from space.search_space import BACKBONE
from space.weight_bank.families import Family

TRAINING_SHARE = 0.8  # of the time, for shared weights and for published networks
ENOUGH_STEPS = 650  # of a family's training in a run of ``REFERENCE_S``, before there are more families
REFERENCE_S = 1_200  # core-seconds of the default run on two cores
FAMILY_SHARE = 0.45  # of the time by the clock, that one family's training may take: a family is trained by one worker
MOST_FAMILIES = 12
TUNING = 1 / 3  # of the steps of shared training: what the best candidates are trained on alone, at first
FEWEST_STEPS = 20
DRAWN = (0.0, 1 / 2, 1.0)  # of a family's designs, by cost: about what a step draws
DEFAULT_FAMILIES, DEFAULT_STEPS = 2, 800  # where no time limit says otherwise
PLAIN_ENDS: dict[str, Value] = {"upsampler": "dense-one-step", "attention": "none"}  # the cheapest of the good ones
# Of random families: other scales learn as much later, and a trunk that runs four times takes four times as long as the
# plan allows for a family.
PLAIN_SCALE: dict[str, Value] = {"residual_scale": 1.0, "recursion": 1}
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


def candidate_families(screen: Screen, count: int) -> tuple[Family, ...]:
    """The first ``count`` that a run takes; fewer where there are no more."""
    return tuple(islice(_in_order(screen), count))


def shares_weights(screen: Screen) -> bool:
    """Whether there is a family: several networks of a kind that fit the budget."""
    return bool(candidate_families(screen, 1))


def _in_order(screen: Screen) -> Iterator[Family]:
    """All different, of several networks that can share weights: those of published networks, of plain networks of
    every backbone, those without a published one first, and then others at random."""
    space, generator = screen.space, np.random.default_rng(screen.settings.seed)
    seen: set[tuple[tuple[str, Value], ...]] = set()

    def new(kinds: Mapping[str, Value], at_least: Mapping[str, Value]) -> Iterator[Family]:
        largest = largest_of(screen, kinds, at_least)
        if largest is None or not can_share(space.decode(largest)):
            return
        family = Family.below(space, largest)
        if family.held not in seen and family.size(space) > FEWEST:
            seen.add(family.held)
            yield family

    for record in fixed_trials(screen.task, screen.settings, screen.budget):
        if record.status != Status.FAILED and BACKBONE in record.knobs and not record.architecture.lacks_input_skip:
            numbers = {key: value for key, value in record.knobs.items() if not isinstance(value, str)}
            yield from new(record.knobs, numbers)
    published = {dict(held)[BACKBONE] for held in seen}
    for name in sorted(screen.task.backbones, key=lambda name: name in published):
        yield from new({**plain_point(space, name, generator), **PLAIN_ENDS}, {})
    for index in range(10 * MOST_FAMILIES):
        name = screen.task.backbones[index % len(screen.task.backbones)]
        skip = next(p for p in space.of(name) if p.key == "input_skip").values
        given: dict[str, Value] = {BACKBONE: name, "input_skip": next(each for each in FROM_INPUT if each in skip)}
        yield from new(space.random(generator, {**given, SPECIALISTS.name: 1, **PLAIN_SCALE}), {})


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
        plan = fitted(time_s, study.settings.workers, *step_s)
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
