"""One training step of everything that can be built, in float32 and in bfloat16, on whatever processor this is."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from evaluators import data
from evaluators.images.folders import NamedImage
from evaluators.tasks import rules_of
from evaluators.training.feature_loss import FeatureLoss
from evaluators.training.precision import Precision
from evaluators.training.trainer import Loss, Trainer
from space import PAPERS, TASKS, architecture, build
from space.architecture import Architecture, IOShape
from space.backbones import BACKBONES
from space.blocks.image_ends import InputSkip, MeanShift
from space.blocks.malle import sliced
from space.build import backbone
from space.knobs import Knob, Value, active

FP32, BF16 = Precision("cpu", None, True, "test"), Precision("cpu", "bfloat16", True, "test")
SHAPES = {name: TASKS[name].shape(TASKS[name].default_scale) for name in ("sr", "denoise", "inpaint")}
SIDE_PX = 16  # halved up to four times; a batch norm needs more than one value a channel, so two images
ALIKE = 0.02  # of the output's spread: what 8 bits of a value leave of some dozen layers
GRADIENT_COSINE = 0.9


@dataclass(frozen=True)
class Step:
    """What one step without an update gave."""

    output: torch.Tensor
    loss: float
    gradients: dict[str, torch.Tensor]


def step(network: nn.Module, low: torch.Tensor, high: torch.Tensor, loss: Loss, precision: Precision) -> Step:
    network = precision.place_network(copy.deepcopy(network)).train()
    with precision.arithmetic():
        output = network(precision.place_batch(low))
    value = loss(output.float(), high, low)
    value.backward()
    gradients = {name: each.grad for name, each in network.named_parameters() if each.grad is not None}
    return Step(output.detach(), value.item(), gradients)


def l1(output: torch.Tensor, target: torch.Tensor, _low: torch.Tensor) -> torch.Tensor:
    return nn.functional.l1_loss(output, target)


def flat(gradients: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([each.double().flatten() for each in gradients.values()])


def check_alike(network: nn.Module, low: torch.Tensor, high: torch.Tensor, loss: Loss = l1) -> None:
    """A step in bfloat16 does what the same step does in float32, as far as 8 bits can tell."""
    exact, rough = (step(network, low, high, loss, precision) for precision in (FP32, BF16))
    assert np.isfinite([exact.loss, rough.loss]).all()
    trainable = {name for name, each in network.named_parameters() if each.requires_grad}
    assert trainable >= rough.gradients.keys() == exact.gradients.keys() != set()
    assert all(torch.isfinite(each).all() for each in rough.gradients.values())
    assert all(each.dtype == torch.float32 for each in rough.gradients.values())
    difference = (rough.output.float() - exact.output).square().mean().sqrt()
    assert difference < ALIKE * exact.output.square().mean().sqrt().clamp(min=0.05), difference
    cosine = nn.functional.cosine_similarity(flat(rough.gradients), flat(exact.gradients), dim=0)
    assert cosine > GRADIENT_COSINE, cosine


def batch(shape: IOShape, side_px: int = SIDE_PX) -> tuple[torch.Tensor, torch.Tensor]:
    """Two smooth images, degraded, and clean; of further input channels the last is a mask, others are constant."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, shape.out_channels, 4, 4, generator=generator)
    high = nn.functional.interpolate(coarse, size=side_px * shape.scale, mode="bicubic").clamp(0, 1)
    low = nn.functional.avg_pool2d(high, shape.scale)
    low = low + 0.1 * torch.randn(low.shape, generator=generator)
    further = torch.full((2, shape.in_channels - shape.out_channels, side_px, side_px), 0.1)
    if shape.masked:
        further = (torch.rand(further.shape, generator=generator) > 0.8).float()
        low = low * (1 - further)
    return torch.cat((low, further), 1), high


def awake(arch: Architecture) -> nn.Module:
    """The network away from its zero start, at which the gradients of inner layers vanish."""
    network = build(arch, torch.Generator().manual_seed(0))
    with torch.no_grad():
        if (end := getattr(network, "residual_end", None)) is not None:
            for parameter in end.parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    return network


def with_value(shape: IOShape, name: str, wanted: dict[str, Value]) -> Architecture:
    """``wanted`` knobs, with the first values that let them apply; all others at their default or first value."""
    knobs = {knob.name: knob for knob in backbone(name).knobs_for(shape)}
    needed = dict(wanted)
    for knob in reversed(knobs.values()):
        if knob.name in needed:
            for condition, allowed in knob.when.items():
                fitting = [value for value in knobs[condition].values if value in allowed]
                if needed.setdefault(condition, fitting[0]) not in allowed:
                    raise ValueError(f"{knob.name} does not apply with {needed}")
    chosen: dict[str, Value] = {}
    for knob in active(tuple(knobs.values()), chosen):
        default = knob.values[0] if knob.default is None else knob.default
        chosen[knob.name] = needed.get(knob.name, default)
    assert wanted.items() <= chosen.items()
    return architecture(shape, name, chosen)


def offered() -> Iterator[tuple[str, str, Knob]]:
    """Every knob of every backbone at the shapes that offer it other values."""
    for name, family in BACKBONES.items():
        seen: dict[str, set[Value]] = {}
        for kind, shape in SHAPES.items():
            for knob in family.knobs_for(shape):
                new = tuple(value for value in knob.values if value not in seen.setdefault(knob.name, set()))
                seen[knob.name].update(new)
                if new:
                    yield kind, name, replace(knob, values=new)


OFFERED = list(offered())


@pytest.mark.parametrize(("kind", "name", "knob"), OFFERED, ids=[f"{k}-{n}-{knob.name}" for k, n, knob in OFFERED])
def test_a_step_with_every_knob_value_is_alike_in_bfloat16(kind: str, name: str, knob: Knob) -> None:
    shape = SHAPES[kind]
    for value in knob.values:
        check_alike(awake(with_value(shape, name, {knob.name: value})), *batch(shape, SIDE_PX // min(2, shape.scale)))
