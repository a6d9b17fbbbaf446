"""Proposals of a learned surrogate: price many designs exactly, predict their quality, train the most promising one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler

from evaluators.costs import Costs
from search.candidates.screening import Screen
from search.pareto import non_dominated_ranks
from search.proposers.computed_point import ComputedPoint
from search.proposers.designs import Design, Designs
from search.proposers.features import Features
from search.proposers.gaussian_process import GaussianProcess, Hyperparameters
from search.proposers.improvement import Front
from search.proposers.results import QUALITY, Result, Results, Seen
from search.proposers.training_time import TrainingTime
from search.storage.note_names import IS_TIMED, PREDICTED
from space.knobs import Value

STARTUP_RESULTS = 8  # designs spread over the costs before the surrogate is trusted: fixed trials count
# Random points, and those from parents, that a proposal chooses among: so many for each result, for the first networks
# of a kind take long to price, and at most so many.
DRAWN, OFFSPRING, MOST = 20, 10, 300
RENEWED, LEAST = 0.05, 2  # growth of the results after which hyperparameters and offspring are computed anew
LEARNT_FROM, FITTED_TO = 800, 250  # results at most, for predictions and for hyperparameters
OUTSIDE = 0.9  # of the deviation that is stated without any result: above, next to nothing is known of a design
CLIMBS = 4  # steps from the most promising design, by one knob each


class SurrogateProposer:
    """One object for all trials of a run; what it keeps is decided by the study and the run's seed."""

    def __init__(self) -> None:
        self._searches: dict[object, SurrogateSearch] = {}  # by part of the space

    def sampler(self, study: optuna.Study, screen: Screen, seed: int) -> BaseSampler:
        part = (tuple(screen.space.held.items()), tuple(screen.space.most.items()))
        if part not in self._searches:
            self._searches[part] = SurrogateSearch(study, screen)
        return ComputedPoint(self._searches[part].point, seed)


@dataclass(frozen=True)
class Generation:
    """What is computed anew when the results have grown, from the first ``results`` of them."""

    results: tuple[int, ...]  # numbers of their trials
    hyperparameters: Hyperparameters
    offspring: tuple[Design, ...]


class SurrogateSearch:
    """Proposals for one study."""

    def __init__(self, study: optuna.Study, screen: Screen) -> None:
        self._study, self._space, self._seed = study, screen.space, screen.settings.seed
        self._objectives = tuple(name for name in screen.settings.objectives if name != QUALITY)
        self._features = Features(screen.space, self._objectives)
        self._results = Results(screen.settings.objectives)
        self._designs = Designs(screen)
        self._rows: dict[int, np.ndarray] = {}  # by trial
        self._generation: Generation | None = None

    def point(self) -> Mapping[str, Value]:
        """The next point, under the samplers' names; {} where no new design is known."""
        seen = self._results.seen(self._study)
        results = max(len(seen.told), STARTUP_RESULTS)
        drawn = [each for each in self._designs.drawn(min(DRAWN * results, 2 * MOST)) if each.key not in seen.taken]
        design = self._spread(seen, drawn) if len(seen.told) < STARTUP_RESULTS else self._most_promising(seen, drawn)
        return {} if design is None else self._space.parameters_of(design.values)

    def _spread(self, seen: Seen, drawn: Sequence[Design]) -> Design | None:
        """A random design, the first costs of which lie evenly in the logarithm."""
        if not drawn or not self._objectives:
            return drawn[0] if drawn else None
        costs = self.costs_of([design.costs for design in drawn])[:, 0]
        share = _van_der_corput(1 + len(seen.told) + len(seen.running))
        return drawn[int(np.argmin(np.abs(costs - (costs.min() + share * np.ptp(costs)))))]

    def _most_promising(self, seen: Seen, drawn: Sequence[Design]) -> Design | None:
        generation = self._renewed(seen.told)
        pool = [*drawn, *(each for each in generation.offspring if each.key not in seen.taken)]
        if not pool:
            return None
        acquisition = self._acquisition(seen, generation.hyperparameters, pool)
        scores = acquisition.of(pool)
        best, score = pool[int(np.argmax(scores))], float(scores.max())
        for _ in range(CLIMBS):
            near = list(self._designs.neighbours(best.values, seen.taken))
            scores = acquisition.of(near) if near else np.zeros(1)
            if scores.max() <= score:
                break
            best, score = near[int(np.argmax(scores))], float(scores.max())
        self._count(acquisition.model.unknown(self.rows_of([best]))[0] > OUTSIDE)
        return best

    def _count(self, is_outside: bool) -> None:
        """In a note of the run: how many proposals were predicted, and how many far outside what was learnt."""
        storage, study_id = self._study._storage, self._study._study_id
        predicted, outside = storage.get_study_user_attrs(study_id).get(PREDICTED, (0, 0))
        storage.set_study_user_attr(study_id, PREDICTED, (predicted + 1, outside + int(is_outside)))

    def _renewed(self, told: Sequence[Result]) -> Generation:
        """Of the first results, as many as when they last had grown by ``RENEWED``: whoever continues a run finds the
        same."""
        told = told[: last_mark(len(told))]
        numbers = tuple(result.trial for result in told)
        if self._generation is None or self._generation.results != numbers:
            learnt = self._selected(told, FITTED_TO)
            rows, quality = self._rows_learnt(learnt), self._quality_db(learnt)[0]
            fitted = GaussianProcess(rows, self._features.block_of, quality).hyperparameters
            ranks = self._ranks(told)
            parents = [each.values for each, rank in zip(told, ranks, strict=True) if rank == 0]
            generator = np.random.default_rng((self._seed, len(told)))
            count = min(OFFSPRING * len(told), MOST)
            offspring = self._designs.offspring(parents, count, {each.key for each in told}, generator)
            self._generation = Generation(numbers, fitted, tuple(offspring))
        return self._generation

    def _acquisition(self, seen: Seen, fitted: Hyperparameters, pool: Sequence[Design]) -> Acquisition:
        learnt = self._selected(seen.told, LEARNT_FROM)
        rows = self._rows_learnt(learnt)
        quality, lowest_db = self._quality_db(learnt)
        model = GaussianProcess(rows, self._features.block_of, quality, fitted)
        if seen.running:  # as if they had become what is expected (Ginsbourger et al. 2010, kriging believer)
            expected = self._rows_learnt(seen.running)
            rows, quality = np.vstack([rows, expected]), np.append(quality, model.predict(expected)[0])
            model = GaussianProcess(rows, self._features.block_of, quality, fitted)
        costs = self.costs_of([each.costs for each in (*learnt, *seen.running)])
        reference = np.vstack([costs, self.costs_of([each.costs for each in pool])]).max(axis=0)
        front = Front(costs, model.predict(rows)[0], lowest_db)
        return Acquisition(self, model, front, reference, self._training_time(seen.told))

    def _training_time(self, told: Sequence[Result]) -> TrainingTime | None:
        """None where time is not what limits the run: its proposals then do not depend on the machine."""
        if not self._noted(IS_TIMED):
            return None
        return TrainingTime.fitted([each.costs.macs for each in told], [each.train_s for each in told])

    def _noted(self, name: str) -> Any:
        return self._study._storage.get_study_user_attrs(self._study._study_id).get(name)

    def _selected(self, told: Sequence[Result], most: int) -> list[Result]:
        """``most`` results: the better half by non-dominated rank, the others evenly from the rest."""
        if len(told) <= most:
            return list(told)
        order = np.argsort(self._ranks(told), kind="stable")
        rest = order[most // 2 :]
        chosen = [*order[: most // 2], *rest[np.linspace(0, len(rest) - 1, most - most // 2).astype(int)]]
        return [told[index] for index in sorted(chosen)]

    def _ranks(self, told: Sequence[Result]) -> np.ndarray:
        quality = np.array([each.psnr_db for each in told])
        return non_dominated_ranks(np.column_stack([-quality, self.costs_of([each.costs for each in told])]))

    def _quality_db(self, learnt: Sequence[Result]) -> tuple[np.ndarray, float]:
        """What the model learns, and the quality that is had for nothing: the baseline's, or the worst where no result
        is above it.

        One that is further below the baseline than the best is above it counts as no worse: of a training that
        diverged, the surrogate would learn nothing else.
        """
        quality = np.array([each.psnr_db for each in learnt])
        noted = self._noted("baseline")
        if noted is None or quality.max() <= noted["psnr_db"]:
            return quality, float(quality.min())
        lowest_db = float(noted["psnr_db"])
        return np.maximum(quality, 2 * lowest_db - quality.max()), lowest_db

    def costs_of(self, costs: Sequence[Costs]) -> np.ndarray:
        """`(designs, cost objectives)`, logarithms."""
        return np.log10([[each.of(name) for name in self._objectives] for each in costs]).reshape(
            len(costs), len(self._objectives)
        )

    def _rows_learnt(self, results: Sequence[Result]) -> np.ndarray:
        for each in results:
            if each.trial not in self._rows:
                self._rows[each.trial] = self._features.row(each.values, each.costs)
        return np.array([self._rows[each.trial] for each in results])

    def rows_of(self, designs: Sequence[Design]) -> np.ndarray:
        return np.array([self._features.row(each.values, each.costs) for each in designs])


@dataclass(frozen=True)
class Acquisition:
    """The expected hypervolume improvement of designs, for each second of training where ``time`` tells those.

    That is Snoek et al. 2012, section 3.2.
    """

    search: SurrogateSearch
    model: GaussianProcess
    front: Front
    reference: np.ndarray
    time: TrainingTime | None

    def of(self, designs: Sequence[Design]) -> np.ndarray:
        mean, deviation = self.model.predict(self.search.rows_of(designs))
        costs = self.search.costs_of([each.costs for each in designs])
        improvement = self.front.expected_improvement(costs, mean, deviation, self.reference)
        return improvement if self.time is None else improvement / self.time.of([each.costs.macs for each in designs])


def last_mark(count: int) -> int:
    mark = STARTUP_RESULTS
    while True:
        following = mark + max(LEAST, int(RENEWED * mark))
        if following > count:
            return mark
        mark = following


def _van_der_corput(index: int) -> float:
    """Of 1, 2, 3, ...: 1/2, 1/4, 3/4, 1/8, ..., which fill 0 to 1 evenly however many there are."""
    return int(f"{index:b}"[::-1], 2) / 2 ** index.bit_length()
