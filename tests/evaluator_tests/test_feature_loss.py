"""The RAW-domain feature loss: exact, without a gradient for the teacher, and a loss that a trainer takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from evaluators.tasks import rules_of
from evaluators.training.feature_loss import FeatureLoss, feature_layers
from evaluators.training.plan import TrainingPlan
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from evaluators.training.trainer import Trainer
from space import TASKS, ZOO, build
from space.architecture import Architecture
from space.search_space import BACKBONE
from tests.random_networks import space_of


def l1(output: torch.Tensor, target: torch.Tensor, _low: torch.Tensor) -> torch.Tensor:
    return (output - target).abs().mean()


def small_teacher() -> nn.Sequential:
    """1x1 convolutions that multiply by 2 and by -1, then a norm."""
    teacher = nn.Sequential(nn.Conv2d(4, 4, 1, bias=False), nn.Conv2d(4, 4, 1, bias=False), nn.BatchNorm2d(4))
    for layer, factor in zip(teacher[:2], (2.0, -1.0), strict=True):
        layer.weight.data = factor * torch.eye(4)[..., None, None]
    return teacher


@pytest.fixture
def frames() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.rand((2, 4, 16, 16), generator=generator) for _ in range(2))


def test_it_is_what_it_says(frames) -> None:
    output, target = frames
    loss = FeatureLoss(l1, small_teacher(), weight=0.5, layers=("0", "1"))
    pixels = (output - target).abs().mean()
    assert torch.allclose(loss.distance(output, target), 2 * pixels)
    assert torch.allclose(loss(output, target, output), pixels + 0.5 * 2 * pixels)
    assert torch.allclose(FeatureLoss(l1, small_teacher(), 0.0, ("0",))(output, target, output), pixels)
    assert loss(output, output.clone(), output) == 0


def test_the_first_part_is_the_task_s_own_loss(frames) -> None:
    rules = rules_of("raw-denoise")
    output, target = frames
    loss = FeatureLoss(rules.measure.loss, small_teacher(), 2.0, ("0",))
    of_pixels = rules.measure.loss(output, target, output)
    assert of_pixels < 0  # minus the PSNR
    assert torch.allclose(loss(output, target, output), of_pixels + 2.0 * loss.distance(output, target))


@pytest.mark.parametrize("name", ["feature-align", "pmrid"])
def test_of_an_encoder_decoder_the_levels_of_the_encoder_count(name: str, frames) -> None:
    architecture = ZOO[name].architecture
    teacher = build(architecture)
    layers = feature_layers(teacher)
    output, target = frames
    output.requires_grad_(True)
    loss = FeatureLoss(l1, teacher, 1.0)
    assert loss.layers == layers
    assert len(layers) == (4 if name == "pmrid" else architecture.settings.levels)
    features = loss.features(target)
    sides = [features[layer].shape[2] for layer in layers]
    assert [side / sides[0] for side in sides] == [0.5**level for level in range(len(layers))]
    loss(output, target, output).backward()
    assert output.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in [*loss.parameters(), *teacher.parameters()])
    assert loss(target, target, target) == 0


def chains() -> dict[str, Architecture]:
    """A narrow network of every backbone, and the published chain."""
    shape = TASKS["denoise"].shape(1, "colour")
    found = {}
    for name in ("plain", "progressive", "symmetric", "pyramid", "encoder_decoder"):
        space = space_of(shape, name)
        found[name] = space.decode(space.fill(lambda parameter: parameter.values[0], {BACKBONE: name}))
    return {**found, "dncnn": ZOO["dncnn-list-color"].architecture}


@pytest.mark.parametrize("name", chains())
def test_of_every_backbone_the_features_are_known(name: str) -> None:
    teacher = build(chains()[name], torch.Generator().manual_seed(0))
    loss = FeatureLoss(l1, teacher, 1.0)
    generator = torch.Generator().manual_seed(1)
    output, target = (torch.rand((2, 3, 16, 16), generator=generator) for _ in range(2))
    features = loss.features(target)
    assert features.keys() == set(loss.layers)
    assert all(each.shape[0] == 2 for each in features.values())
    output.requires_grad_(True)
    loss.distance(output, target).backward()
    assert output.grad.any()
    assert loss.distance(target, target) == 0


def test_the_teacher_given_stays_as_it_is(frames) -> None:
    teacher = small_teacher()
    loss = FeatureLoss(l1, teacher, 1.0, ("2",)).train()
    output, target = frames
    loss(output, target, output)
    assert teacher.training
    assert all(parameter.requires_grad for parameter in teacher.parameters())
    assert torch.equal(loss.teacher.network[2].running_mean, torch.zeros(4))


def test_a_trainer_takes_it(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    frames = [generator.integers(65536, size=(24, 24, 4), dtype=np.uint16) for _ in range(2)]
    pool = PatchPool.from_pairs([(frame // 2, frame) for frame in frames], 1, layout="bayer")
    plan, precision = TrainingPlan(batch=2, patch_px=8), Precision("cpu", None, False, "test")

    def losses(loss: FeatureLoss) -> list[float]:
        torch.manual_seed(0)
        seen: list[float] = []
        Trainer(nn.Conv2d(4, 4, 1), pool, plan, precision, 0, loss).train_to(3, lambda _step, value: seen.append(value))
        return seen

    plain, matched = (
        losses(FeatureLoss(l1, small_teacher(), 0.0, ("0",))),
        losses(FeatureLoss(l1, small_teacher(), 1.0, ("0",))),
    )
    assert matched[0] == pytest.approx(3 * plain[0])  # the features are twice the pixels


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: FeatureLoss(l1, small_teacher(), 1.0),
            "the layers to compare are known of EncoderDecoderTrunk, .*, got Sequential",
        ),
        (lambda: FeatureLoss(l1, small_teacher(), 1.0, ("7",)), "layers must be modules of the teacher.* got 7"),
        (lambda: FeatureLoss(l1, small_teacher(), 1.0, ()), "layers must be modules of the teacher.* got none"),
        (lambda: FeatureLoss(l1, small_teacher(), -1.0, ("0",)), "weight must be at least 0, got -1"),
        (
            lambda: FeatureLoss(l1, small_teacher(), 1.0, ("0",))(*torch.zeros(2, 1, 4, 8, 8), torch.zeros(1, 5, 8, 8)),
            r"a network gives what it takes, got an output of \(1, 4, 8, 8\) for an input of \(1, 5, 8, 8\)",
        ),
    ],
)
def test_mistakes_are_named(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
