"""A training that a kill costs half a minute at most: begun from a seed, continued from a checkpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import nn

from evaluators.data import pools_of
from evaluators.tasks import Pair, TaskRules
from evaluators.training.plan import TrainingPlan
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from evaluators.training.trainer import Loss, Trainer
from space.errors import UserError
from space.specialists import networks_of

SAVE_EVERY_S = 30  # what a kill can cost


@dataclass(frozen=True)
class Resumable:
    """All that determines one network's training but its length and its arithmetic.

    ``make`` gives the network as it is before the first step; ``seed`` is that of the patches. ``loss`` is the task's
    own if None.
    """

    make: Callable[[], nn.Module]
    seed: int
    rules: TaskRules
    plan: TrainingPlan
    pool: PatchPool
    loss: Loss | None = None

    def begun(self, precision: Precision) -> Trainer:
        network = self.make()
        return Trainer(network, self._pools(network), self.plan, precision, self.seed, self._loss)

    def resumed(self, checkpoint: Path | None, precision: Precision) -> Trainer | None:
        """From ``checkpoint``; None where there is none or it is damaged: the same seed then gives the same again."""
        if checkpoint is None:
            return None
        network = self.make()
        try:
            return Trainer.load(checkpoint, network, self._pools(network), precision, self.plan, self._loss)
        except UserError:
            return None

    @property
    def _loss(self) -> Loss:
        return self.loss or self.rules.measure.loss

    def _pools(self, network: nn.Module) -> tuple[PatchPool, ...]:
        return pools_of(self.pool, self.rules, len(networks_of(network)))


class Stepping(Protocol):
    """What makes training steps: of one network, or of many that share weights."""

    step: int

    def train_to(
        self,
        steps: int,
        on_step: Callable[[int, float], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> None: ...


def train(
    trainer: Stepping,
    steps: int,
    on_step: Callable[[int, float], None],
    ends: Callable[[], bool],
    save: Callable[[], None],
) -> None:
    """Train until ``steps`` steps are made in all, or ``ends`` comes true; ``save`` every ``SAVE_EVERY_S`` seconds and
    at the end."""
    while trainer.step < steps and not ends():
        trainer.train_to(steps, on_step=on_step, should_stop=_either(ends, time.monotonic() + SAVE_EVERY_S))
        save()


def _either(ends: Callable[[], bool], at: float) -> Callable[[], bool]:
    return lambda: time.monotonic() > at or ends()


def asking(pairs: Iterable[Pair], ask: Callable[[], object]) -> Iterator[Pair]:
    """``pairs``, with a question before each of them: asking is a worker's sign of life."""
    for pair in pairs:
        ask()
        yield pair
