"""Step timing: how long training steps take on this machine, to fit the ladder's length."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean

import numpy as np

from search.candidates.fixed_trials import fixed_trials
from search.candidates.initial_points import initial_points, narrow_first
from search.candidates.repair import repaired
from search.candidates.screening import Screen
from search.records import Status
from search.request.budget import Budget
from search.storage.study import Study
from search.workers.dispatcher import POLL_S
from search.workers.jobs import Timed, TimingJob
from search.workers.messages import Answer, Failed, MachineTrouble, Progress
from search.workers.protocol import Workers
from space.architecture import Architecture
from space.errors import UserError
from space.logs import LOGGER
from space.tasks import Task

TIMED_NETWORKS = 5  # networks that stand for what the search will propose
MOST_SAMPLED = 2_000  # random networks that are looked at
LUCK = 50  # of them that may miss the budget before they are turned down into it
NOTE = "step_seconds"


class TimingFailedError(Exception):
    """No network could be trained; the text says why."""


def step_seconds(
    study: Study, workers: Workers, task: Task, budget: Budget, interrupted: Callable[[], bool]
) -> tuple[float, float]:
    """Seconds per training step: of all fixed trials added up, and on average of what the search will propose.

    Measured once per run, and written down; zeros if interrupted. A network that cannot be trained
    counts as an average one.

    Raises:
        TimingFailedError: none can be trained, or the training process does not survive it.
    """
    known = study.noted(NOTE)
    if known is None:
        settings = study.settings
        fixed = [r.architecture for r in fixed_trials(task, settings, budget) if r.status != Status.FAILED]
        typical = list(itertools.islice(_likely(study, task, budget), TIMED_NETWORKS))
        if not fixed and not typical:
            raise UserError(
                f"--budget {budget.text} fits no network found among {MOST_SAMPLED:,} random ones; try a larger one"
            )
        measured = timed(workers, (*fixed, *typical), interrupted)
        if measured is None:
            return 0.0, 0.0
        trained = [seconds for seconds in measured if seconds is not None]
        searched = fmean([seconds for seconds in measured[len(fixed) :] if seconds is not None] or trained)
        known = {
            "fixed": sum(searched if seconds is None else seconds for seconds in measured[: len(fixed)]),
            "searched": searched,
        }
        study.note(NOTE, known)
    return known["fixed"], known["searched"]


def timed(
    workers: Workers, architectures: Sequence[Architecture], interrupted: Callable[[], bool]
) -> tuple[float | None, ...] | None:
    """Seconds that a training step of each takes, measured by all workers at once, as they train: on processors that
    share a memory or a core each is slower beside the other. None if interrupted, and for a network that cannot be
    trained.

    Raises:
        TimingFailedError: none can be trained, or the training process does not survive it.
    """
    asked = workers.idle()
    for place in range(asked):
        workers.submit(TimingJob(number=-1 - place, architectures=tuple(architectures)))
    answers: list[tuple[float | None, ...]] = []
    while len(answers) < asked:
        if interrupted():
            return None
        answers += map(_measured, workers.poll(POLL_S))
    by_network = zip(*answers, strict=True)
    return tuple(None if None in each else fmean(s for s in each if s is not None) for each in by_network)


def _measured(answer: Answer | Progress) -> tuple[float | None, ...]:
    """Seconds per step, of which at least one is known."""
    if isinstance(answer, Timed | Failed | MachineTrouble) and answer.trace:
        LOGGER.error("timing of steps: %s\n%s", answer.reason, answer.trace)
    if not isinstance(answer, Timed):
        reason = answer.reason if isinstance(answer, Failed | MachineTrouble) else "the training process stopped"
        raise TimingFailedError(reason)
    if answer.step_s and all(seconds is None for seconds in answer.step_s):
        raise TimingFailedError(f"none of {len(answer.step_s)} networks could be trained: {answer.reason}")
    return answer.step_s


def _likely(study: Study, task: Task, budget: Budget) -> Iterator[Architecture]:
    """Networks that take as long as what the search proposes: points that it starts from, spread over their costs.

    Random networks follow. They consist of slow parts far more often: of 40 networks that a run of ``denoise`` trained
    (``reports/published/tasks-one-core``) a step took 0.062 s on average, of the five that were timed 0.070 s, and the
    median of five random ones was 0.71 s.
    """
    screen = Screen(task, study.settings, budget)
    fixed = sorted(fixed_trials(task, study.settings, budget), key=narrow_first)
    starts = sorted(map(screen.space.decode, initial_points(fixed, screen)), key=lambda arch: screen.costs(arch).macs)
    places = np.linspace(0, len(starts) - 1, TIMED_NETWORKS).round().astype(int) if starts else ()
    yield from dict.fromkeys(starts[place] for place in places)
    yield from _random_within(screen, study.settings.seed)


def _random_within(screen: Screen, seed: int) -> Iterator[Architecture]:
    """Random networks within the budget; under a tight one, random ones repaired (``search.candidates.repair``)."""
    generator = np.random.default_rng(seed)
    for sampled in range(MOST_SAMPLED):
        values = screen.space.random(generator)
        if screen.excess(values) <= 0:
            yield screen.space.decode(values)
        elif sampled >= LUCK:
            near = repaired(values, screen, generator)
            if near is not None:
                yield screen.space.decode(near)
