"""The first stage of a compression: what is pruned by which cost, and what came of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from torch import nn

from evaluators.compression.int8.costs import int8_costs
from evaluators.compression.pruning import Pruned, prune
from evaluators.compression.pruning.importance import NEED_GRADIENTS
from evaluators.compression.pruning.prune import COSTED_AT, Cost
from evaluators.costs import architecture_costs
from evaluators.data import Picture, pools_of, training_pool
from evaluators.tasks import TaskRules
from evaluators.training.plan import TrainingPlan
from latency_tables.tables.table import LatencyTable
from search.models.costs import input_of
from search.models.model import Model
from space.errors import UserError
from space.specialists import networks_of

GRADIENT_BATCHES = 16
"""Batches over which taylor sums its gradients; with 16 of 32 patches each, 512 patches. Fewer were not tried."""


@dataclass(frozen=True)
class PruneSpec:
    """What ``--prune`` and its options ask for."""

    ratio: float
    importance: str
    scope: str
    steps: int

    @property
    def needs_gradients(self) -> bool:
        return self.importance in NEED_GRADIENTS

    @property
    def said(self) -> str:
        steps = f" in {self.steps} steps" if self.steps > 1 else ""
        return f"{self.ratio:.0%} of the channels by {self.importance}, {self.scope}{steps}"


@dataclass(frozen=True)
class Price:
    """What pruning has to lower: multiply-accumulates, or milliseconds on ``table``, in int8 if ``is_int8``."""

    table: LatencyTable | None
    is_int8: bool
    input_size: tuple[int, int]

    @property
    def said(self) -> str:
        if self.table is None:
            return "multiply-accumulates at {}x{}".format(*COSTED_AT)
        width, height = self.input_size
        return f"ms on {self.table.name}{' in int8' if self.is_int8 else ''} at {width}x{height}"

    @property
    def cost(self) -> Cost | None:
        """As ``prune`` takes it."""
        table = self.table
        if table is None:
            return None
        costs = int8_costs if self.is_int8 else architecture_costs
        return lambda arch: costs(arch, self.input_size, [table]).latency[table.name].ms


Gradients = Callable[[nn.Module], None]


def pruned(model: Model, spec: PruneSpec, price: Price, gradients: Gradients | None) -> tuple[Model, dict[str, Any]]:
    """``model`` without the channels that ``spec`` says, and what was done, as JSON values.

    Raises:
        UserError: it cannot be pruned so, or no step lowers the cost.
    """
    assert model.architecture is not None
    done: Pruned = prune(
        model.architecture,
        copy.deepcopy(model.network),
        spec.ratio,
        importance=spec.importance,
        scope=spec.scope,
        steps=spec.steps,
        cost=price.cost,
        gradients=gradients,
    )
    if not any(step.taken for step in done.steps):
        raise UserError(
            f"--prune must lower {price.said}, got {spec.ratio:g}, with which they stay "
            f"{done.steps[-1].cost_before:,.5g}; give more, or another --scope"
        )
    facts = {**asdict(spec), "cost": price.said, "steps": [asdict(step) for step in done.steps]}
    return replace(model, network=done.network.eval(), architecture=done.architecture), facts


def patch_gradients(pictures: Sequence[Picture], rules: TaskRules, plan: TrainingPlan, seed: int) -> Gradients:
    """Leaves the gradients of the task's loss on training patches of ``pictures``, summed over some batches."""
    pool = training_pool(pictures, rules)

    def gradients(network: nn.Module) -> None:
        generator, networks = np.random.default_rng(seed), networks_of(network)
        for each, patches in zip(networks, pools_of(pool, rules, len(networks)), strict=True):
            for _ in range(GRADIENT_BATCHES):
                degraded, target = patches.sample(generator, plan.batch, plan.patch_px)
                rules.measure.loss(each(degraded), target, degraded).backward()

    return gradients


def price_of(model: Model, table: LatencyTable | None, is_int8: bool) -> Price:
    """At the input for which the costs of ``model`` are stated."""
    return Price(table, is_int8, input_of(model)[1])
