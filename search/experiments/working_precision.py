"""The arithmetic in which a list of trainings works on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from search.experiments.sessions import TrainingSession
from search.experiments.trainables import known_costs, params_of
from search.experiments.training import Training
from search.sessions.first_step import tried

SIZE = (64, 64)  # at which parameters are counted; they are the same at any


def in_working_precision(waiting: Sequence[Training], session: TrainingSession) -> tuple[TrainingSession, str | None]:
    """``session`` in the precision that a first step of the narrowest and the widest network of ``waiting`` shows to
    work, and the line that says why where it is another."""
    ordered = sorted(waiting, key=_params)
    ends = dict.fromkeys((each.architecture, each.rules) for each in (*ordered[:1], *ordered[-1:]))
    precision, failed = tried(session.precision, ends)
    return replace(session, precision=precision), failed


def _params(training: Training) -> int:
    return params_of(training.architecture, known_costs(training.architecture, SIZE))
