"""Pruned and fine-tuned networks against designs trained from random weights: same milliseconds, same steps.

For each seed a wide parent is trained, and from it a front is pruned, a network for each ratio. Beside each stand three
designs of its predicted time that get as many steps as the parent and the fine-tuning together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from evaluators.compression.pruning import SCOPES, prune
from evaluators.compression.pruning.prune import LARGEST_RATIO
from evaluators.costs import architecture_costs
from evaluators.quality import NonFiniteOutputError
from evaluators.tasks import TaskRules
from evaluators.training.divergence import DivergedError
from search.experiments.front_bench import Bench, Train
from search.experiments.front_designs import drawn, narrower
from search.experiments.front_records import FrontRecord, FrontRecords, Place
from space.architecture import Architecture
from space.build import build
from space.errors import UserError
from space.search_space import SearchSpace
from space.tasks import TASKS

PARENT, PRUNED, SAME, NARROWER, DRAWN, SEARCHED = "parent", "pruned", "same", "narrower", "drawn", "searched"
ARMS: Mapping[str, str] = {
    PRUNED: "pruned and fine-tuned",
    SAME: "the pruned design, from random weights",
    NARROWER: "the parent's design, narrower",
    SEARCHED: "the best of designs drawn from the space",
}
OTHER_PATCHES = 1000  # between the seeds of a parent's patches and its fine-tuning's, which are others


@dataclass(frozen=True)
class FrontsPlan:
    """What is trained.

    Attributes:
        steps: of every design in all, of which a pruned one's parent had all but ``fine_tuning``.
        rounds: in which channels are removed, each with its share of the fine-tuning.
        ratios: shares of channels that are removed.
        candidates: designs drawn for each ratio, of which the best after ``rung`` steps is trained to ``steps``.
    """

    rules: TaskRules
    parent: Architecture
    steps: int
    fine_tuning: int
    rounds: int = 1
    scope: str = "global"
    ratios: tuple[float, ...] = (0.25, 0.5, 0.75)
    candidates: int = 8
    rung: int = 100

    def __post_init__(self) -> None:
        if not self.rounds <= self.fine_tuning < self.steps:
            raise UserError(
                f"steps of fine-tuning must be at least one a round and fewer than all steps, got {self.fine_tuning} "
                f"of {self.steps} in {self.rounds} rounds; half of the steps is the default"
            )
        if self.scope not in SCOPES:
            raise UserError(f"scope must be one of {', '.join(SCOPES)}, got {self.scope!r}")
        if not self.ratios or not all(0 < ratio <= LARGEST_RATIO for ratio in self.ratios):
            raise UserError(
                f"shares of channels to prune must be above 0 and at most {LARGEST_RATIO:g}, got "
                f"{', '.join(map(str, self.ratios)) or 'none'}; for example 0.25,0.5,0.75"
            )

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the input of which costs are told."""
        return TASKS[self.rules.task].input_sizes[self.rules.scale]


@dataclass(frozen=True)
class PrunedFronts:
    """The experiment, which goes on from ``records``; ``told`` hears of every training that is finished, and of
    each ``environment`` says where and by which command it was made."""

    plan: FrontsPlan
    bench: Bench
    train: Train
    records: FrontRecords
    told: Callable[[FrontRecord], None]
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, seeds: int) -> None:
        """All trainings, seed by seed, so that a partial result is useful."""
        for seed in range(seeds):
            plan = self.plan
            parent = self._from_scratch(Place(PARENT, 0.0, seed), plan.parent, plan.steps - plan.fine_tuning)
            for ratio in plan.ratios if not parent.failure else ():
                self._compare(parent, ratio)

    def _compare(self, parent: FrontRecord, ratio: float) -> None:
        plan, seed = self.plan, parent.place.seed
        pruned = self._done(Place(PRUNED, ratio, seed), plan.parent, plan.steps, lambda: self._pruned(parent, ratio))
        if pruned.failure:
            return  # there is no time that the others could take
        designs = {
            SAME: pruned.architecture,
            NARROWER: narrower(plan.parent, pruned.latency.ms, self.bench.ms),
            SEARCHED: self._best_drawn(ratio, seed, pruned.latency.ms),
        }
        for arm, arch in designs.items():
            if arch is not None:
                self._from_scratch(Place(arm, ratio, seed), arch, plan.steps)

    def _pruned(self, parent: FrontRecord, ratio: float) -> tuple[Architecture, nn.Module]:
        plan, seed, made = self.plan, parent.place.seed, 0

        def tune(network: nn.Module, steps: int) -> None:
            nonlocal made
            tuned = self.train(network, steps, seed + OTHER_PATCHES * (1 + made))
            network.load_state_dict(tuned.state_dict())
            made += steps

        pruned = prune(
            plan.parent,
            self.records.network(parent),
            ratio,
            scope=plan.scope,
            steps=plan.rounds,
            cost=self.bench.ms,
            fine_tune=lambda network: tune(network, plan.fine_tuning // plan.rounds),
        )
        if made < plan.fine_tuning:  # a round that saved nothing, or a remainder
            tune(pruned.network, plan.fine_tuning - made)
        return pruned.architecture, pruned.network.eval()

    def _best_drawn(self, ratio: float, seed: int, wanted_ms: float) -> Architecture | None:
        """By PSNR after the first rung; trained anew from the same seed, its further steps are those of going on."""
        known = self.records.of(Place(SEARCHED, ratio, seed))
        if known is not None:
            return known.architecture
        plan = self.plan
        assert plan.parent.ends is not None
        designs = drawn(
            SearchSpace(TASKS[plan.rules.task], plan.rules.shape),
            {"input_skip": plan.parent.ends.input_skip},
            wanted_ms,
            self.bench.ms,
            plan.candidates,
            np.random.default_rng((seed, round(100 * ratio))),
        )
        tried = [
            self._from_scratch(Place(DRAWN, ratio, seed, number), arch, plan.rung)
            for number, arch in enumerate(designs, start=1)
        ]
        sound = [record for record in tried if not record.failure]
        return max(sound, key=_first_psnr_db).architecture if sound else None

    def _from_scratch(self, place: Place, arch: Architecture, steps: int) -> FrontRecord:
        def make() -> tuple[Architecture, nn.Module]:
            network = build(arch, torch.Generator().manual_seed(place.seed))
            return arch, self.train(network, steps, place.seed)

        return self._done(place, arch, steps, make)

    def _done(
        self, place: Place, arch: Architecture, steps: int, make: Callable[[], tuple[Architecture, nn.Module]]
    ) -> FrontRecord:
        """The record of a training that is finished, now or before; ``arch`` stands in it if it diverges."""
        known = self.records.of(place)
        if known is not None:
            return known
        begun, network, psnr_db, failure = time.perf_counter(), None, {}, ""
        try:
            arch, network = make()
            train_s = time.perf_counter() - begun
            psnr_db = dict(self.bench.measure(network))
        except (DivergedError, NonFiniteOutputError) as error:
            train_s, failure = time.perf_counter() - begun, str(error)
        costs = architecture_costs(arch, self.plan.size)
        latency, made_in = self.bench.cost(arch), self.environment
        record = FrontRecord(place, arch, steps, costs.params, costs.macs, latency, psnr_db, train_s, made_in, failure)
        self.records.add(record, network)
        self.told(record)
        return record


def _first_psnr_db(record: FrontRecord) -> float:
    return next(iter(record.psnr_db.values()))
