"""NNI 3.0's serverless strategies over our space, one proposal at a time.

A strategy explores by itself: it submits models to an engine, and waits for their metrics. Here a new strategy gets, by
its own ``load_state_dict``, the population that the study's results make, and an engine that takes one model and has no
budget for another; it returns with the next proposal, whether it draws or mutates. So all state is in the study.

A choice of the space is a categorical, also where it does not apply: a sample has all, and those that apply are used.
Of a trial in the population the others are random, the same whenever they are asked for. A sample whose network the
study knows is invalid, and the strategy tries again as NNI does.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from search.candidates.screening import Screen
from search.pareto import non_dominated_ranks
from search.proposers.computed_point import LARGEST_SEED
from search.proposers.nni_import import importing_alone
from search.proposers.results import QUALITY, Result, Seen
from space.knobs import Value
from space.search_space import SearchSpace

with warnings.catch_warnings(), importing_alone():
    warnings.simplefilter("ignore")  # it looks at every class of torch.nn, and knows those of 2023
    from nni.mutable import Categorical, MutableDict, SampleValidationError
    from nni.nas.execution import ExecutionEngine
    from nni.nas.strategy import Random, RegularizedEvolution
    from nni.nas.strategy.base import Strategy
    from nni.nas.strategy.evolution import Individual

# It prints every sample, and a warning where it finds no new one, of which ``proposed`` tells.
logging.getLogger("nni.nas.strategy").setLevel(logging.ERROR)

# Individuals that live, and those among which a parent is chosen: a quarter, as in Real et al. 2018 and in NNI, where
# 100 live and thousands are trained. A knob changes with NNI's probability.
POPULATION, TOURNAMENT, MUTATION = 20, 5, 0.05


def proposed(name: str, screen: Screen, seen: Seen, seed: int) -> dict[str, Value]:
    """The next point of the strategy ``name``, under the samplers' names; {} where it finds no new design."""
    strategy, state = STRATEGIES[name](screen, seen, seed % LARGEST_SEED)
    engine = OneModel()
    strategy.initialize(Space(screen.space, seen.taken), engine)
    strategy.load_state_dict({"random_state": np.random.RandomState(seed % LARGEST_SEED).get_state(), **state})
    strategy.run()
    return {} if engine.model is None else screen.space.parameters_of(point_of(screen.space, engine.model))


class OneModel(ExecutionEngine):  # type: ignore[misc]  # NNI has no types
    """An engine with the budget for one model, which is kept for whoever asks."""

    def __init__(self) -> None:
        super().__init__()
        self.model: Mapping[str, Value] | None = None

    def submit_models(self, *models: Mapping[str, Value]) -> None:
        (self.model,) = models

    def idle_worker_available(self) -> bool:
        return True

    def budget_available(self) -> bool:
        return self.model is None

    def wait_models(self, *models: Mapping[str, Value]) -> None:
        """Its result is for the study to have."""


class Space(MutableDict):  # type: ignore[misc]
    """All choices of a space as mutables, by name; networks that are ``taken`` (by key) are not valid."""

    def __init__(self, space: SearchSpace, taken: Collection[str] = ()) -> None:
        super().__init__({each.name: Categorical(each.values, label=each.name) for each in space.parameters})
        self._is_taken: Callable[[Mapping[str, Value]], bool] = lambda sample: (
            space.decode(point_of(space, sample)).key in taken
        )

    def check_contains(self, sample: dict[str, Value]) -> Any:
        invalid = super().check_contains(sample)
        if invalid is None and self._is_taken(sample):
            return SampleValidationError("the study knows this network")
        return invalid


def point_of(space: SearchSpace, sample: Mapping[str, Value]) -> dict[str, Value]:
    """The choices of a sample that apply."""
    return space.fill(lambda parameter: sample[parameter.name])


def sample_of(space: SearchSpace, result: Result, seed: int) -> dict[str, Value]:
    """A trial as a sample: what does not apply, or lies off the grid, is random."""
    generator, own = np.random.default_rng((seed, result.trial)), space.parameters_of(result.values)
    drawn = {each.name: each.values[int(generator.integers(len(each.values)))] for each in space.parameters}
    return {**drawn, **own}


def _evolution(screen: Screen, seen: Seen, seed: int) -> tuple[Strategy, dict[str, Any]]:
    """Regularized evolution: its population are the last results. An individual is the better, the lower its
    non-dominated rank among them."""
    alive = seen.told[-POPULATION:]
    metrics = -_ranks(alive, screen.settings.objectives)
    samples = [sample_of(screen.space, each, screen.settings.seed) for each in alive]
    population = [Individual(sample, float(metric)) for sample, metric in zip(samples, metrics, strict=True)]
    strategy = RegularizedEvolution(
        population_size=POPULATION, sample_size=TOURNAMENT, mutation_prob=MUTATION, seed=seed
    )
    return strategy, {"population": population, "individual_counter": len(seen.told), "dedup_history": []}


def _random(screen: Screen, seen: Seen, seed: int) -> tuple[Strategy, dict[str, Any]]:
    return Random(seed=seed), {"dedup_history": []}


def _ranks(results: Sequence[Result], objectives: Sequence[str]) -> np.ndarray:
    losses = [[-each.psnr_db if name == QUALITY else each.costs.of(name) for name in objectives] for each in results]
    return non_dominated_ranks(np.array(losses).reshape(len(results), len(objectives)))


STRATEGIES: dict[str, Callable[[Screen, Seen, int], tuple[Strategy, dict[str, Any]]]] = {
    "nni-evolution": _evolution,
    "nni-random": _random,
}
