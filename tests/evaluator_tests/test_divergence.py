"""When a training counts as diverged, and what then becomes of it: a network's ends, a family's is tried once more."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import pytest

from evaluators.training.divergence import LIMIT, SPAN, LossWatch, NonFiniteLossError, RisingLossError
from search.workers.failures import answered
from search.workers.messages import Failed


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
