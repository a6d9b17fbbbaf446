"""Who proposes the next network: a file for each kind, a line for each in ``PROPOSERS``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import optuna
from optuna.samplers import BaseSampler

from search.proposers.optuna_samplers import GroupedTPEProposer, OptunaProposer, gp, nsga2, nsga3, random
from space.errors import UserError
from space.search_space import SearchSpace


class Proposer(Protocol):
    """Chooses the values of trials that nobody queued; one object serves one run in one process.

    It is told nothing: ``study`` has all trials so far with values, named constraints and states. Over-budget
    candidates and duplicates are in it as PRUNED. What a proposer computes itself it hands over as
    ``optuna.samplers.PartialFixedSampler(space.parameters_of(values), ...)``.
    """

    def sampler(self, study: optuna.Study, space: SearchSpace, seed: int) -> BaseSampler:
        """What chooses the values of the next trial; called once before each.

        The same trials and seed must give the same values, whatever was proposed before: a continued run then goes on
        as an uninterrupted one would. Parameters are asked for by ``Parameter.name``, in the order of ``space.fill``.
        """
        ...


PROPOSERS: dict[str, Callable[[], Proposer]] = {
    "tpe": GroupedTPEProposer,
    "nsga2": partial(OptunaProposer, nsga2),
    "nsga3": partial(OptunaProposer, nsga3),
    "gp": partial(OptunaProposer, gp),
    "random": partial(OptunaProposer, random),
}


def proposer(name: str) -> Proposer:
    """A new proposer of the kind called ``name``.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    if name not in PROPOSERS:
        raise UserError(f"--sampler must be one of {', '.join(PROPOSERS)}, got {name!r}")
    return PROPOSERS[name]()
