"""Losses with a teacher and of spectra: exact, a gradient for the student alone, and training that continues."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from evaluators.tasks import rules_of
from evaluators.training.distillation import Distillation
from evaluators.training.feature_loss import FeatureLoss
from evaluators.training.plan import TrainingPlan
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from evaluators.training.spectrum_loss import SMFANET_WEIGHT, SpectrumLoss, spectral_distance
from evaluators.training.teacher import Teacher
from evaluators.training.trainer import Trainer
from space.specialists import Specialists

PLAN = TrainingPlan(batch=2, patch_px=8, warmup_steps=2)
FP32, BF16 = Precision("cpu", None, True, "test"), Precision("cpu", "bfloat16", True, "test", asked=True)


def l1(output: torch.Tensor, target: torch.Tensor, _input: torch.Tensor) -> torch.Tensor:
    return (output - target).abs().mean()


def enlarger(seed: int) -> nn.Sequential:
    """RGB to RGB of twice the sides, with a norm that has statistics."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.BatchNorm2d(12), nn.PixelShuffle(2))


def smoother(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 3, 3, padding=1))


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Output, target and network input of a student that enlarges twice."""
    generator = torch.Generator().manual_seed(0)
    sides = (16, 16, 8)
    output, target, low = (torch.rand((2, 3, side, side), generator=generator) for side in sides)
    return output, target, low


@pytest.fixture(scope="module")
def pool() -> PatchPool:
    generator = np.random.default_rng(0)
    images = [generator.integers(256, size=(24, 24, 3), dtype=np.uint8) for _ in range(2)]
    return PatchPool.from_pairs([(image, image // 2) for image in images], 1)


def test_it_is_what_it_says(batch) -> None:
    output, target, low = batch
    teacher = enlarger(0).eval()
    with torch.no_grad():
        taught = teacher(low)
    expected = np.abs((output - target).numpy()).mean() + 0.25 * np.abs((output - taught).numpy()).mean()
    assert Distillation(l1, teacher, 0.25)(output, target, low).item() == pytest.approx(expected, rel=1e-6)
    assert Distillation(l1, teacher, 0.0)(output, target, low) == l1(output, target, low)


def test_a_teacher_counts_by_the_task_s_own_loss() -> None:
    """Of inpainting: inside the holes alone; of raw-denoise: in dB."""
    generator = torch.Generator().manual_seed(0)
    output, target = (torch.rand((2, 3, 8, 8), generator=generator) for _ in range(2))
    mask = torch.zeros(2, 1, 8, 8)
    mask[..., :4] = 1
    image = torch.cat([target * (1 - mask), mask], 1)
    teacher = nn.Conv2d(4, 3, 1)
    outside = output.clone()
    outside[..., 4:] = 7.0
    inpaint = Distillation(rules_of("inpaint").measure.loss, teacher, 1.0)
    assert inpaint(outside, target, image) == inpaint(output, target, image)
    raw = rules_of("raw-denoise").measure.loss
    output, target = (torch.rand((2, 4, 8, 8), generator=generator) for _ in range(2))
    teacher = nn.Identity()
    found = Distillation(raw, teacher, 2.0)(output, target, target)
    assert torch.allclose(found, 3 * raw(output, target, target))


def test_the_gradient_is_the_student_s_alone(batch) -> None:
    _, target, low = batch
    student, teacher = enlarger(1), enlarger(0)
    loss = Distillation(l1, teacher, 1.0)
    loss(student(low), target, low).backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in student[0].parameters())
    assert all(parameter.grad is None for parameter in [*loss.parameters(), *teacher.parameters()])
    grads = [parameter.grad.clone() for parameter in student.parameters()]
    student.zero_grad()
    l1(student(low), target, low).backward()
    assert any(
        not torch.allclose(both, own.grad) for both, own in zip(grads, student.parameters(), strict=True)
    )  # the teacher moves it


@pytest.mark.parametrize("make", [lambda t: Distillation(l1, t, 1.0), lambda t: FeatureLoss(l1, t, 1.0, ("0",))])
def test_the_teacher_given_and_its_copy_stay_as_they_are(make) -> None:
    teacher = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).train()
    before = copy.deepcopy(teacher.state_dict())
    loss = make(teacher).train()
    image = torch.rand(2, 3, 8, 8)
    loss(image, image / 2, image)
    assert teacher.training
    assert all(parameter.requires_grad for parameter in teacher.parameters())
    for state in (teacher.state_dict(), loss.teacher.network.state_dict()):
        assert all(torch.equal(state[name], before[name]) for name in before)
    assert not loss.teacher.network.training
    with torch.no_grad():
        teacher[0].weight.zero_()
    assert loss.teacher.network[0].weight.any()


def test_it_runs_once_a_step_in_the_arithmetic_of_training(pool) -> None:
    for precision, expected in ((FP32, torch.float32), (BF16, torch.bfloat16)):
        seen: list[torch.dtype] = []
        loss = Distillation(l1, smoother(0), 1.0)
        loss.teacher.network[0].register_forward_hook(
            lambda _module, _inputs, result, seen=seen: seen.append(result.dtype)
        )
        Trainer(smoother(1), pool, PLAN, precision, 0, SpectrumLoss(loss, 0.05)).train_to(3)
        assert seen == [expected] * 3
        assert loss.teacher(torch.rand(1, 3, 8, 8)).dtype == torch.float32
        assert loss.teacher.network[0].weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("kind", [Distillation, FeatureLoss])
def test_bfloat16_gives_about_the_same_losses(pool, kind) -> None:
    losses: dict[str, list[float]] = {"fp32": [], "bf16": []}
    for precision in (FP32, BF16):
        more = {"layers": ("0", "2")} if kind is FeatureLoss else {}
        loss = kind(l1, smoother(0), 1.0, **more)
        kept = losses[precision.name]
        Trainer(smoother(1), pool, PLAN, precision, 0, loss).train_to(3, lambda _, value, kept=kept: kept.append(value))
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.02)


LOSSES = {
    "output": lambda: Distillation(l1, smoother(0), 1.0),
    "features": lambda: FeatureLoss(l1, smoother(0), 1.0, ("0",)),
    "spectrum": lambda: SpectrumLoss(Distillation(l1, smoother(0), 0.5), 0.05),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("precision", [FP32, BF16])
def test_training_continues_bit_for_bit(name: str, precision: Precision, pool, tmp_path: Path) -> None:
    whole = Trainer(smoother(1), pool, PLAN, precision, 5, LOSSES[name]())
    whole.train_to(6)
    first = Trainer(smoother(1), pool, PLAN, precision, 5, LOSSES[name]())
    first.train_to(3)
    first.save(tmp_path / "c")
    second = Trainer.load(tmp_path / "c", smoother(9), pool, precision, loss=LOSSES[name]())
    second.train_to(6)
    for trainer, file in ((whole, "a"), (second, "b")):
        trainer.save(tmp_path / file)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    plain = Trainer(smoother(1), pool, PLAN, precision, 5, l1)
    plain.train_to(6)
    assert any(
        not torch.equal(a, b) for a, b in zip(plain.network.parameters(), whole.network.parameters(), strict=True)
    )


def test_one_teacher_teaches_every_specialist(pool) -> None:
    students = Specialists([smoother(1), smoother(2)])
    before = copy.deepcopy(students.state_dict())
    loss = Distillation(l1, smoother(0), 1.0)
    Trainer(students, (pool, pool), PLAN, FP32, 0, loss).train_to(2)
    after = students.state_dict()
    assert all(not torch.equal(after[name], before[name]) for name in before)


def test_a_student_comes_near_to_its_teacher(pool) -> None:
    """Of a teacher that gives the negative, with targets that are half the input."""

    def after_training(weight: float) -> float:
        teacher = nn.Conv2d(3, 3, 1)
        teacher.weight.data, teacher.bias.data = -torch.eye(3)[..., None, None], torch.ones(3)
        trainer = Trainer(smoother(1), pool, TrainingPlan(4, 8, 1e-2, 2), FP32, 0, Distillation(l1, teacher, weight))
        trainer.train_to(100)
        image = torch.rand((4, 3, 16, 16), generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            return l1(trainer.network(image), teacher(image), image).item()

    assert after_training(20.0) < 0.5 * after_training(0.0)


# Spectra.


def test_the_distance_of_spectra_is_that_of_numpy(batch) -> None:
    output, target, _ = batch
    ours, theirs = (np.fft.rfft2(image.double().numpy()) for image in (output, target))
    parts = np.stack([ours.real - theirs.real, ours.imag - theirs.imag])
    assert spectral_distance(output, target).item() == pytest.approx(np.abs(parts).mean(), rel=1e-5)
    assert spectral_distance(output, output) == 0


def test_one_wave_counts_at_its_frequency_alone() -> None:
    wave = torch.cos(2 * torch.pi * 3 * torch.arange(16) / 16).expand(1, 1, 16, 16)
    # Its only coefficient, 16 x 16 / 2, is one of 16 rows, 9 columns, real and imaginary.
    assert spectral_distance(wave, torch.zeros_like(wave)).item() == pytest.approx(128 / (16 * 9 * 2), rel=1e-5)


def test_spectra_are_added_to_any_loss(batch) -> None:
    output, target, low = batch
    spectra = spectral_distance(output, target)
    assert SMFANET_WEIGHT == 0.05
    assert torch.allclose(SpectrumLoss(l1)(output, target, low), l1(output, target, low) + 0.05 * spectra)
    taught = Distillation(l1, enlarger(0), 1.0)
    assert torch.allclose(SpectrumLoss(taught, 2.0)(output, target, low), taught(output, target, low) + 2 * spectra)
    output.requires_grad_(True)
    SpectrumLoss(l1)(output, target, low).backward()
    assert torch.isfinite(output.grad).all()
    assert output.grad.any()


# Mistakes.


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Distillation(l1, enlarger(0), -1.0), "weight must be at least 0, got -1"),
        (lambda: SpectrumLoss(l1, -0.1), "weight must be at least 0, got -0.1"),
        (lambda: Teacher(Specialists([enlarger(0), enlarger(1)])), "one network for all levels, got 2 specialists"),
        (
            lambda: Distillation(l1, enlarger(0), 1.0)(*torch.zeros(3, 1, 3, 8, 8)),
            r"the teacher's output must be \(1, 3, 8, 8\), as the student's, .* got \(1, 3, 16, 16\)",
        ),
    ],
)
def test_mistakes_are_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
