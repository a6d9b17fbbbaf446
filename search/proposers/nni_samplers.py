"""NNI's strategies as proposers: an extra, imported with the first proposal, for that takes seconds."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

import optuna
from optuna.samplers import BaseSampler

from search.candidates.screening import Screen
from search.proposers.computed_point import ComputedPoint
from search.proposers.results import Results
from space.errors import UserError
from space.knobs import Value

NEEDS = ("nni", "pytorch_lightning")  # the second is not declared by the first


class NNIProposer:
    """Proposals of the strategy called ``name`` in ``search.proposers.nni_strategies``.

    Raises:
        UserError: NNI is not installed.
    """

    def __init__(self, name: str) -> None:
        missing = [package for package in NEEDS if find_spec(package) is None]
        if missing:
            raise UserError(
                f"--sampler {name} needs {', '.join(missing)}, which is not installed; pip install 'litefront[nni]'"
            )
        self._name = name
        self._results: Results | None = None

    def sampler(self, study: optuna.Study, screen: Screen, seed: int) -> BaseSampler:
        results = self._results = self._results or Results(screen.settings.objectives)

        def compute() -> Mapping[str, Value]:
            from search.proposers.nni_strategies import proposed

            return proposed(self._name, screen, results.seen(study), seed)

        return ComputedPoint(compute, seed)


def evolution() -> NNIProposer:
    return NNIProposer("nni-evolution")


def random() -> NNIProposer:
    return NNIProposer("nni-random")
