"""Muon: against torch's own on matrices, against singular values, and as Adam on the rest."""

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from evaluators.training.muon import MOMENTUM, SINGULAR_VALUE, Muon, mixes_channels, orthogonalised
from evaluators.training.optimizers import optimizer_of
from evaluators.training.plan import ADAM_BETAS, TrainingPlan

RATE = 1e-2


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("shape", "mixes"),
    [
        ((16, 16, 3, 3), True),
        ((48, 16, 1, 1), True),
        ((4, 4), True),
        ((16, 3, 3, 3), False),  # sees an image
        ((3, 16, 3, 3), False),  # makes one
        ((16, 1, 3, 3), False),  # depthwise
        ((16,), False),
        ((16, 16, 3), False),
    ],
)
def test_what_it_trains(shape: tuple[int, ...], mixes: bool) -> None:
    assert mixes_channels(torch.zeros(shape)) == mixes


@pytest.mark.parametrize("shape", [(16, 144), (144, 16), (8, 8), (48, 16, 1, 1), (8, 16, 3, 3)])
def test_singular_values_become_alike_and_directions_stay(shape: tuple[int, ...]) -> None:
    update = random(*shape)
    (found,) = orthogonalised([update])
    assert found.shape == update.shape
    left, before, right = torch.linalg.svd(update.reshape(shape[0], -1), full_matrices=False)
    assert before.max() > 1.5 * before.min()  # else there is nothing to do
    turned = left.mT @ found.reshape(shape[0], -1) @ right.mT
    values = turned.diagonal()
    assert values.min() > 0.3  # the smallest of a square matrix may begin next to nothing
    assert values.max() < 1.25
    assert (turned - values.diag()).abs().max() < 1e-3


def test_each_update_is_worked_on_by_itself_and_zeros_stay() -> None:
    updates = [random(8, 72), torch.zeros(8, 72), random(8, 8), random(8, 72, seed=1)]
    together = orthogonalised(updates)
    for update, found in zip(updates, together, strict=True):
        (alone,) = orthogonalised([update])
        assert torch.allclose(found, alone, atol=1e-5)
    assert not together[1].any()
    assert orthogonalised([]) == []


def test_the_size_of_an_update_does_not_matter() -> None:
    update = random(8, 72)
    for factor in (1e-4, 1e4):
        assert torch.allclose(orthogonalised([factor * update])[0], orthogonalised([update])[0], atol=1e-3)


def test_on_matrices_it_is_that_of_torch() -> None:
    """Which works in bfloat16, so to its precision."""
    ours, theirs = (nn.Parameter(random(8, 24)) for _ in range(2))
    mine = Muon([ours], RATE / SINGULAR_VALUE)
    reference = torch.optim.Muon([theirs], lr=RATE, momentum=MOMENTUM, weight_decay=0.0)
    start = ours.detach().clone()
    for step in range(6):
        gradient = random(8, 24, seed=step + 1)
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        mine.step()
        reference.step()
    assert (ours - start).norm() > 5 * RATE
    assert (ours - theirs).norm() < 0.02 * (ours - start).norm()


def test_on_the_rest_it_is_adam() -> None:
    ours, theirs = (nn.Parameter(random(16, 1, 3, 3)) for _ in range(2))
    mine, reference = Muon([ours], RATE), torch.optim.Adam([theirs], lr=RATE, betas=ADAM_BETAS, fused=True)
    for step in range(4):
        for optimizer, weight in ((mine, ours), (reference, theirs)):
            optimizer.zero_grad()
            weight.grad = random(16, 1, 3, 3, seed=step)
            optimizer.step()
    assert torch.equal(ours, theirs)


def test_a_weight_without_a_gradient_stays() -> None:
    weight, bias, idle = nn.Parameter(random(8, 8)), nn.Parameter(random(8)), nn.Parameter(random(8, 8))
    optimizer = Muon([weight, bias, idle], RATE)
    before = [value.detach().clone() for value in (weight, bias, idle)]
    (weight.sum() + bias.sum()).backward()
    optimizer.step()
    assert [torch.equal(*pair) for pair in zip(before, (weight, bias, idle), strict=True)] == [False, False, True]
    assert idle not in optimizer.state
    optimizer.zero_grad()
    assert weight.grad is None
    assert bias.grad is None


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_order_in_memory_does_not_matter(memory_format: torch.memory_format) -> None:
    weight = nn.Parameter(random(8, 16, 3, 3).to(memory_format=memory_format))
    gradient = random(8, 16, 3, 3, seed=1)
    weight.grad = gradient.clone(memory_format=torch.preserve_format).to(memory_format=memory_format)
    Muon([weight], RATE).step()
    expected = random(8, 16, 3, 3) - SINGULAR_VALUE * RATE * orthogonalised([gradient])[0]
    assert torch.allclose(weight, expected, atol=1e-5)


def test_a_plan_says_which_optimizer() -> None:
    weight = nn.Parameter(random(8, 8))
    assert isinstance(optimizer_of(TrainingPlan(), [weight]), Muon)
    assert type(optimizer_of(dataclasses.replace(TrainingPlan(), optimizer="adam"), [weight])) is torch.optim.Adam
