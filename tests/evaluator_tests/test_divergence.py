"""When a training counts as diverged, and what then becomes of it: a network's ends, a family's is tried once more."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
import torch

from evaluators import data
from evaluators.images.folders import NamedImage
from evaluators.tasks import rules_of
from evaluators.training.divergence import LIMIT, SPAN, LossWatch, NonFiniteLossError, RisingLossError
from evaluators.training.precision import choose_precision
from evaluators.training.trainer import Trainer
from search.workers.failures import answered
from search.workers.messages import Failed
from space import TASKS, SearchSpace
from space.build import build
from space.search_space import first


def told(losses: Iterable[float]) -> LossWatch:
    watch = LossWatch()
    for step, loss in enumerate(losses, start=1):
        watch.told(step, loss)
    return watch


def test_a_loss_that_falls_and_varies_is_fine() -> None:
    generator = np.random.default_rng(0)
    falling = 0.3 * np.exp(-np.arange(400) / 30) + 0.03
    told(falling * generator.lognormal(0, 0.5, 400))


def test_a_hard_batch_is_fine() -> None:
    told([*[0.03] * 50, 0.03 * 20, *[0.03] * 50])


@pytest.mark.parametrize("growth", [1.05, 1.5, 10.0])
def test_a_loss_that_rises_for_good_is_not(growth: float) -> None:
    losses = [*[0.03] * 50, *(0.03 * growth**step for step in range(1, 200))]
    with pytest.raises(RisingLossError, match="times what it had come down to at training step"):
        told(losses)


def test_it_is_found_as_soon_as_the_average_says_so() -> None:
    high = LIMIT * 2
    with pytest.raises(RisingLossError) as caught:
        told([*[1.0] * 50, *[high] * 50])
    needed = next(n for n in range(50) if high - (high - 1) * (1 - 1 / SPAN) ** n > LIMIT)
    assert caught.value.step == 50 + needed


def test_what_begins_high_is_not_what_it_came_down_to() -> None:
    told([100.0, *[0.03] * (SPAN - 2), 5.0])  # too few to say anything


@pytest.mark.parametrize(
    "losses", [np.linspace(-20, -45, 200), np.linspace(3, -3, 200), [0.0] * 60, [-40.0, *[0.1] * 9]]
)
def test_a_loss_in_decibels_may_be_negative(losses: Iterable[float]) -> None:
    """As RAW denoising's: five times -40 is no limit."""
    told(losses)
    told([-40.0, *[0.03] * 50, *[3.0] * 50])


@pytest.mark.parametrize("name", TASKS)
def test_the_loss_of_every_task_may_be_told(name: str) -> None:
    rules = rules_of(name, TASKS[name].default_scale)
    generator = np.random.default_rng(0)
    images = [NamedImage(name, generator.integers(0, 256, (96, 96, 3)).astype(np.uint8))]
    space = SearchSpace(TASKS[name], rules.shape)
    network = build(space.decode(space.fill(first)), torch.Generator().manual_seed(0))
    plan = replace(rules.degrade.plan, batch=2, patch_px=16)
    trainer = Trainer(
        network, data.training_pool(images, rules), plan, choose_precision("cpu", "fp32"), 0, rules.measure.loss
    )
    trainer.train_to(SPAN + 15)
    assert trainer.step == SPAN + 15


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_it_at_once(loss: float) -> None:
    with pytest.raises(NonFiniteLossError, match="the loss is not finite at training step 2"):
        told([0.1, loss])


def test_it_is_the_network_s_fault() -> None:
    def rises() -> None:
        raise RisingLossError(7.2, 30)

    answer = answered(3, rises)
    assert isinstance(answer, Failed)
    assert answer.diverged
    assert answer.reason == "the loss has risen to 7 times what it had come down to at training step 30"
