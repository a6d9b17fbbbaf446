"""What the trainer does on CUDA, as far as a CPU can drive it; with a GPU, a real step as well."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from evaluators.training import trainer as trainer_module
from evaluators.training.divergence import NonFiniteLossError
from evaluators.training.plan import TrainingPlan
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision, choose_precision
from evaluators.training.trainer import Trainer
from space import ZOO, build

READ_TOGETHER = 5
PLAN = TrainingPlan(batch=2, patch_px=8)


class SaysCuda(Precision):
    """Says that it is a GPU and computes on the CPU."""

    def place_network(self, network: nn.Module) -> nn.Module:
        return network

    def place_batch(self, images: torch.Tensor) -> torch.Tensor:
        return images


@pytest.fixture
def pool() -> PatchPool:
    pixels = np.random.default_rng(0).integers(0, 255, (3, 16, 16, 3), dtype=np.uint8)
    return PatchPool.from_pairs([(each, each) for each in pixels], 1)


@pytest.fixture(autouse=True)
def few_losses_at_once(monkeypatch) -> None:
    monkeypatch.setattr(trainer_module, "LOSSES_PER_READ_CUDA", READ_TOGETHER)


def trained(
    pool: PatchPool, precision: Precision, steps: int, loss=None
) -> tuple[Trainer, list[tuple[int, int, float]]]:
    """Step told, steps made by then, loss."""
    network = nn.Conv2d(3, 3, 1)
    with torch.no_grad():
        network.weight.fill_(0.1)
        network.bias.zero_()
    trainer = Trainer(network, pool, PLAN, precision, seed=0, **({"loss": loss} if loss else {}))
    told: list[tuple[int, int, float]] = []
    trainer.train_to(steps, lambda step, value: told.append((step, trainer.step, value)))
    return trainer, told


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_losses_are_read_together_and_all_are_told_in_order(pool: PatchPool, device: str) -> None:
    _, at_once = trained(pool, Precision("cpu", None, True, "test"), 12)
    _, deferred = trained(pool, SaysCuda(device, None, True, "test"), 12)
    assert [step for step, _, _ in deferred] == list(range(1, 13))
    assert [made for _, made, _ in deferred] == [5] * 5 + [10] * 5 + [12] * 2
    assert [made for _, made, _ in at_once] == list(range(1, 13))
    assert [loss for _, _, loss in deferred] == [loss for _, _, loss in at_once]


def test_a_loss_that_is_not_finite_is_found_late_and_named_rightly(pool: PatchPool) -> None:
    seen: list[int] = []

    def breaks(output: torch.Tensor, _target: torch.Tensor, _low: torch.Tensor) -> torch.Tensor:
        seen.append(1)
        return output.mean() * (float("nan") if len(seen) >= 3 else 1.0)

    with pytest.raises(NonFiniteLossError, match="the loss is not finite at training step 3"):
        trained(pool, SaysCuda("cuda", None, True, "test"), 20, breaks)
    assert len(seen) == READ_TOGETHER


def test_a_stop_on_cuda_tells_what_was_made(pool: PatchPool) -> None:
    told: list[int] = []
    trainer, _ = trained(pool, SaysCuda("cuda", None, True, "test"), 1)
    trainer.train_to(50, lambda step, _loss: told.append(step), lambda: trainer.step >= 8)
    assert told == list(range(2, 9))


def test_a_loss_with_a_network_of_its_own_goes_to_the_device(pool: PatchPool) -> None:
    class Teacher(nn.Module):
        def to(self, device: str) -> nn.Module:
            self.moved_to = device
            return self

        def forward(self, output: torch.Tensor, target: torch.Tensor, _low: torch.Tensor) -> torch.Tensor:
            return (output - target).abs().mean()

    teacher = Teacher()
    trained(pool, SaysCuda("cuda:1", None, True, "test"), 1, teacher)
    assert teacher.moved_to == "cuda:1"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("word", ["fp32", "bf16"])
def test_a_real_step_on_a_gpu_is_that_of_the_cpu(pool: PatchPool, word: str) -> None:
    losses = {}
    for device in ("cpu", "cuda"):
        arch = replace(
            ZOO["dncnn-s"].architecture, shape=replace(ZOO["dncnn-s"].architecture.shape, in_channels=3, out_channels=3)
        )
        trainer = Trainer(build(arch, torch.Generator().manual_seed(0)), pool, PLAN, choose_precision(device, word), 0)
        told: list[float] = []
        trainer.train_to(3, lambda _step, loss, told=told: told.append(loss))
        losses[device] = told
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=0.02)
