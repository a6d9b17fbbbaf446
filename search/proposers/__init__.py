"""Who proposes the next network: a file for each kind, a line for each in ``PROPOSERS``.

The table names what it does not import: ``--help`` lists the samplers without waiting for Optuna.
"""

from __future__ import annotations

from pkgutil import resolve_name
from typing import TYPE_CHECKING, Protocol

from space.errors import UserError

if TYPE_CHECKING:
    import optuna
    from optuna.samplers import BaseSampler

    from search.candidates.screening import Screen

OPTUNA = "search.proposers.optuna_samplers"


class Proposer(Protocol):
    """Chooses the values of trials that nobody queued; one object serves one run in one process.

    It is told nothing: ``study`` has all trials so far with values, named constraints and states. Over-budget
    candidates and duplicates are in it as PRUNED. ``screen`` has the space, and prices any design exactly. What a
    proposer computes itself it hands over as a ``ComputedPoint``.
    """

    def sampler(self, study: optuna.Study, screen: Screen, seed: int) -> BaseSampler:
        """What chooses the values of the next trial; called once before each.

        The same trials and seed must give the same values, whatever was proposed before: a continued run then goes on
        as an uninterrupted one would. Parameters are asked for by ``Parameter.name``, in the order of
        ``SearchSpace.fill``.
        """
        ...


# By the name of ``--sampler``, the first being the default: ``module:function``, which makes a proposer.
PROPOSERS: dict[str, str] = {
    "surrogate": "search.proposers.surrogate:SurrogateProposer",
    "tpe": f"{OPTUNA}:GroupedTPEProposer",
    "nsga2": f"{OPTUNA}:nsga2",
    "nsga3": f"{OPTUNA}:nsga3",
    "gp": f"{OPTUNA}:gp",
    "random": f"{OPTUNA}:random",
    "nni-evolution": "search.proposers.nni_samplers:evolution",
    "nni-random": "search.proposers.nni_samplers:random",
}
DEFAULT = next(iter(PROPOSERS))


def proposer(name: str) -> Proposer:
    """A new proposer of the kind called ``name``.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    if name not in PROPOSERS:
        raise UserError(f"--sampler must be one of {', '.join(PROPOSERS)}, got {name!r}")
    made: Proposer = resolve_name(PROPOSERS[name])()
    return made
