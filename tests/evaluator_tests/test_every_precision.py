"""One training step of everything that can be built, in float32 and in bfloat16, on whatever processor this is."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from evaluators.data import pools_of, training_pool
from evaluators.images.folders import NamedImage
from evaluators.tasks import rules_of
from evaluators.training.feature_loss import FeatureLoss
from evaluators.training.pool import PatchPool
from evaluators.training.precision import Precision
from evaluators.training.trainer import Loss, Trainer
from space import TASKS, ZOO, build
from space.architecture import Architecture, IOShape
from space.assembly import backbone
from space.backbones import BACKBONES
from space.knobs import Knob, Value
from space.layers.image_ends import InputSkip, MeanShift
from space.layers.malle import sliced
from space.layers.protocols import ResidualEnd
from space.search_space import first
from space.specialists import networks_of
from space.zoo import OWN_NETWORKS, with_input_skip
from tests.random_networks import space_of

FP32 = Precision("cpu", None, True, "test")
BF16 = Precision("cpu", "bfloat16", True, "test", asked=True)
SHAPES = {name: TASKS[name].shape(TASKS[name].default_scale) for name in ("sr", "denoise", "inpaint")}
SIDE_PX = 16  # halved up to four times; a batch norm needs more than one value a channel, so two images
# At half that side their map is one pixel; torch 2.13 leaves the bfloat16 gradient of a strided 3x3 on it undefined.
STRIDED_AT_A_THIRD = ("plainusr",)
ALIKE = 0.02  # of the output: what 8 bits of a value leave of some dozen layers
GRADIENT_COSINE = 0.998
# A norm raises what rounding did to the convolution before it, which is why ``for_network`` keeps such in float32.
NORMED_ALIKE, NORMED_COSINE = 0.5, 0.05


@dataclass(frozen=True)
class Step:
    """What one step without an update gave."""

    output: torch.Tensor
    loss: float
    gradients: dict[str, torch.Tensor]


def step(network: nn.Module, degraded: torch.Tensor, target: torch.Tensor, loss: Loss, precision: Precision) -> Step:
    precision = precision.for_network(network)
    network = precision.place_network(copy.deepcopy(network)).train()
    with precision.arithmetic():
        output = network(precision.place_batch(degraded))
    value = loss(output.float(), target, degraded)
    value.backward()
    gradients = {name: each.grad for name, each in network.named_parameters() if each.grad is not None}
    return Step(output.detach(), value.item(), gradients)


def l1(output: torch.Tensor, target: torch.Tensor, _low: torch.Tensor) -> torch.Tensor:
    return nn.functional.l1_loss(output, target)


def flat(gradients: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([each.double().flatten() for each in gradients.values()])


def check_alike(network: nn.Module, degraded: torch.Tensor, target: torch.Tensor, loss: Loss = l1) -> None:
    """A step in bfloat16 does what the same step does in float32, as far as 8 bits can tell."""
    exact, rough = (step(network, degraded, target, loss, precision) for precision in (FP32, BF16))
    assert np.isfinite([exact.loss, rough.loss]).all()
    trainable = {name for name, each in network.named_parameters() if each.requires_grad}
    assert trainable >= rough.gradients.keys() == exact.gradients.keys() != set()
    assert all(torch.isfinite(each).all() for each in rough.gradients.values())
    assert all(each.dtype == torch.float32 for each in rough.gradients.values())
    has_norms = any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    difference = (rough.output.float() - exact.output).square().mean().sqrt()
    alike = NORMED_ALIKE if has_norms else ALIKE
    assert difference < alike * exact.output.square().mean().sqrt().clamp(min=0.05), difference
    cosine = nn.functional.cosine_similarity(flat(rough.gradients), flat(exact.gradients), dim=0)
    assert cosine > (NORMED_COSINE if has_norms else GRADIENT_COSINE), cosine


def batch(shape: IOShape, side_px: int = SIDE_PX) -> tuple[torch.Tensor, torch.Tensor]:
    """Two smooth images, degraded, and clean; of further input channels the last is a mask, others are constant."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(2, shape.out_channels, 4, 4, generator=generator)
    target = nn.functional.interpolate(coarse, size=side_px * shape.scale, mode="bicubic").clamp(0, 1)
    degraded = nn.functional.avg_pool2d(target, shape.scale)
    degraded = degraded + 0.1 * torch.randn(degraded.shape, generator=generator)
    further = torch.full((2, shape.in_channels - shape.out_channels, side_px, side_px), 0.1)
    if shape.masked:
        further = (torch.rand(further.shape, generator=generator) > 0.8).float()
        degraded = degraded * (1 - further)
    return torch.cat((degraded, further), 1), target


def awake(arch: Architecture) -> nn.Module:
    """The network away from its zero start, at which the gradients of inner layers vanish."""
    network = build(arch, torch.Generator().manual_seed(0))
    with torch.no_grad():
        end = network.residual_end if isinstance(network, ResidualEnd) else None
        if end is not None:
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
    space = space_of(shape, name)
    values = space.fill(first, {"backbone": name, **needed})
    assert wanted.items() <= values.items()
    return space.decode(values)


def offered() -> Iterator[tuple[str, str, Knob]]:
    """Every knob of every backbone at the shapes that offer it other values."""
    for name, entry in BACKBONES.items():
        seen: dict[str, set[Value]] = {}
        for kind, shape in SHAPES.items():
            for knob in entry.knobs_for(shape):
                new = tuple(value for value in knob.values if value not in seen.setdefault(knob.name, set()))
                seen[knob.name].update(new)
                if new:
                    yield kind, name, replace(knob, values=new)


OFFERED = list(offered())


NUMBERS = 4  # of a knob with more numeric values, the first and the last are always tried, the others with ``-m long``


def check_values(kind: str, name: str, knob: Knob, values: tuple[Value, ...]) -> None:
    shape = SHAPES[kind]
    for value in values:
        network = awake(with_value(shape, name, {knob.name: value}))
        check_alike(network, *batch(shape, SIDE_PX // min(2, shape.scale)))


def is_long_row(knob: Knob) -> bool:
    return len(knob.values) > NUMBERS and not any(isinstance(value, str) for value in knob.values)


def names_of(cases: list[tuple[str, str, Knob]]) -> list[str]:
    return [f"{kind}-{name}-{knob.name}" for kind, name, knob in cases]


LONG_ROWS = [case for case in OFFERED if is_long_row(case[2])]


@pytest.mark.parametrize(("kind", "name", "knob"), OFFERED, ids=names_of(OFFERED))
def test_every_knob_trains_alike_in_bfloat16(kind: str, name: str, knob: Knob) -> None:
    check_values(kind, name, knob, (knob.values[0], knob.values[-1]) if is_long_row(knob) else knob.values)


@pytest.mark.long
@pytest.mark.parametrize(("kind", "name", "knob"), LONG_ROWS, ids=names_of(LONG_ROWS))
def test_every_value_between_trains_alike_in_bfloat16(kind: str, name: str, knob: Knob) -> None:
    check_values(kind, name, knob, knob.values[1:-1])


PUBLISHED = {
    **{name: entry.architecture for name, entry in ZOO.items()},
    **{
        f"{name}+skip": with_input_skip(entry.architecture)
        for name, entry in ZOO.items()
        if entry.architecture.lacks_input_skip
    },
}
# The same operators as a narrower one beside it, at seconds a step.
WIDE = ("s-lwsr64", "s-lwsr128", "mallenet-port-32", "mallenet-port-16-pool", "ecbsr-m16c64", "glcic")
SMALL = [name for name in PUBLISHED if not name.startswith(WIDE)]


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name.startswith(WIDE) else []) for name in PUBLISHED]
)
def test_every_published_network_trains_alike_in_bfloat16(name: str) -> None:
    arch = PUBLISHED[name]
    halvings = 1 if arch.backbone in STRIDED_AT_A_THIRD else min(2, arch.shape.scale)
    check_alike(awake(arch), *batch(arch.shape, SIDE_PX // halvings))


def begins_as_its_input(arch: Architecture) -> bool:
    if arch.backbone in OWN_NETWORKS:
        return issubclass(OWN_NETWORKS[arch.backbone].network, ResidualEnd)
    return not arch.lacks_input_skip


@pytest.mark.parametrize("name", [name for name in SMALL if begins_as_its_input(PUBLISHED[name])])
def test_what_begins_as_its_input_does_so_to_the_bit(name: str) -> None:
    """The last convolution gives zero, and all that is left has to be float32: resize, mean shift, addition."""
    arch = PUBLISHED[name]
    network, (degraded, target) = build(arch, torch.Generator().manual_seed(0)), batch(arch.shape, 8)
    exact, rough = (step(network, degraded, target, l1, precision) for precision in (FP32, BF16))
    assert rough.output.dtype == torch.float32
    assert torch.equal(rough.output, exact.output)
    assert rough.loss == exact.loss


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("name", BACKBONES)
def test_every_way_to_add_the_input_is_exact(kind: str, name: str) -> None:
    shape = SHAPES[kind]
    offered = {knob.name: knob for knob in backbone(name).knobs_for(shape)}
    for value in offered["input_skip"].values if "input_skip" in offered else ():
        if value != "none":
            network = build(with_value(shape, name, {"input_skip": value}), torch.Generator().manual_seed(0))
            degraded, target = batch(shape, 8)
            exact, rough = (step(network, degraded, target, l1, precision) for precision in (FP32, BF16))
            assert torch.equal(rough.output, exact.output)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
def test_the_skip_raises_an_image_that_came_in_bfloat16(mode: str) -> None:
    image = batch(SHAPES["sr"], 8)[0].bfloat16()
    with BF16.arithmetic():
        enlarged = InputSkip(mode, 4, 3)(image)
    assert enlarged.dtype == torch.float32
    assert torch.equal(enlarged, InputSkip(mode, 4, 3)(image.float()))


def test_without_autocast_the_ends_keep_the_format_that_they_are_given() -> None:
    image = batch(SHAPES["sr"], 8)[0]
    assert InputSkip("nearest", 4, 3)(image.bfloat16()).dtype == torch.bfloat16
    assert MeanShift(-1).double()(image.double()).dtype == torch.float64
    assert MeanShift(-1).bfloat16()(image.bfloat16()).dtype == torch.bfloat16


def test_the_mean_shift_loses_nothing() -> None:
    image = batch(SHAPES["sr"], 8)[0]
    with BF16.arithmetic():
        there_and_back = MeanShift(1)(MeanShift(-1)(image))
    assert torch.allclose(there_and_back, image, atol=1e-6)


def test_slicing_sums_in_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    x, kernels = torch.rand(1, 4, 8, 8, generator=generator), torch.rand(1, 40, 2, 2, generator=generator)
    x, kernels = x.bfloat16().requires_grad_(), kernels.bfloat16().requires_grad_()
    with BF16.arithmetic():
        y = sliced(x, kernels, 3)
    assert torch.equal(y, sliced(x.detach().float(), kernels.detach().float(), 3))
    y.sum().backward()
    assert x.grad.dtype == kernels.grad.dtype == torch.bfloat16
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize("name", SMALL)
def test_networks_that_bfloat16_does_not_suit_stay_in_float32_unless_asked(name: str) -> None:
    with torch.device("meta"):
        network = build(PUBLISHED[name])
    normed = any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    dilated = any(isinstance(each, nn.Conv2d) and each.groups > 1 < max(each.dilation) for each in network.modules())
    chosen = replace(BF16, asked=False).for_network(network)
    assert chosen.name == ("fp32" if normed or dilated else "bf16")
    assert ("batch norm" in chosen.reason) == (normed and not dilated)
    assert BF16.for_network(network) == replace(BF16, channels_last=not dilated)


def dirtied() -> None:
    """Memory that is handed out next holds NaN, so that what is read before it is written shows."""
    _ = [torch.full((1 << power,), torch.nan) for power in (10, 12, 14, 16, 18) for _ in range(4)]


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize(
    ("kernel", "groups", "channels"), [(3, 2, 16), (3, 8, 40), (5, 8, 40), (3, 16, 16), (7, 24, 24)]
)
def test_gradients_of_dilated_convolutions_in_groups_are_right(
    kernel: int, groups: int, channels: int, asked: bool
) -> None:
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(8, channels, 32, 32, generator=generator)
    given = torch.randn(8, channels, 32, 32, generator=generator)
    conv = nn.Conv2d(channels, channels, kernel, padding=kernel // 2 * 2, dilation=2, groups=groups)
    weights = {}
    for precision in (FP32, replace(BF16, asked=asked).for_network(conv)):
        network = precision.place_network(copy.deepcopy(conv))
        for _ in range(3):
            network.zero_grad()
            dirtied()
            with precision.arithmetic():
                output = network(precision.place_batch(image))
            dirtied()
            (output.float() * precision.place_batch(given)).sum().backward()
            weights.setdefault(precision.name + str(precision.channels_last), []).append(network.weight.grad)
    exact = weights["fp32True"][0]
    for gradient in (each for several in weights.values() for each in several):
        assert (gradient - exact).abs().max() < 0.03 * exact.abs().max()


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_only_a_cpu_needs_another_order_for_dilated_convolutions_in_groups(device: str) -> None:
    network = nn.Conv2d(8, 8, 3, dilation=2, groups=4)
    assert replace(BF16, device=device).for_network(network).channels_last == (device == "cuda")


# Tasks and losses, through the trainer itself: degradation, loss, optimizer, average.

TASK_WORDS = [(name, channels) for name, task in TASKS.items() for channels in task.channels]


def pool_of(task: str, channels: str) -> tuple[PatchPool, Architecture]:
    rules = rules_of(task, options={"channels": channels})
    generator = np.random.default_rng(0)
    pixels = generator.integers(40, 220, (20, 20, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    name = TASKS[task].backbones[0]
    skip = {knob.name: knob for knob in backbone(name).knobs_for(rules.shape)}["input_skip"].values[-1]
    return training_pool((NamedImage("blocks", pixels),), rules), with_value(rules.shape, name, {"input_skip": skip})


@pytest.mark.parametrize(("task", "channels"), TASK_WORDS)
def test_every_task_trains_alike_in_bfloat16(task: str, channels: str) -> None:
    rules = rules_of(task, options={"channels": channels})
    pool, arch = pool_of(task, channels)
    losses: dict[str, list[float]] = {"fp32": [], "bf16": []}
    weights: dict[str, dict[str, torch.Tensor]] = {}
    for precision in (FP32, BF16):
        network = build(arch, torch.Generator().manual_seed(0))
        before = copy.deepcopy(network.state_dict())
        pools = pools_of(pool, rules, len(networks_of(network)))
        plan = replace(rules.degrade.plan, batch=2, patch_px=16)
        trainer = Trainer(network, pools, plan, precision, seed=0, loss=rules.measure.loss)
        kept = losses[precision.name]
        trainer.train_to(2, lambda _step, loss, kept=kept: kept.append(loss))
        weights[precision.name] = {name: each - before[name] for name, each in network.state_dict().items()}
        assert all(each.dtype == torch.float32 for each in trainer.averaged_network().state_dict().values())
    assert losses["fp32"][0] == losses["bf16"][0]  # it begins as its input
    assert losses["bf16"] == pytest.approx(losses["fp32"], rel=0.02, abs=0.01)
    moved = {word: {name for name, each in changed.items() if each.any()} for word, changed in weights.items()}
    assert moved["bf16"] == moved["fp32"] != set()


def test_the_feature_loss_trains_alike_in_bfloat16() -> None:
    rules = rules_of("raw-denoise")
    arch = with_value(rules.shape, "encoder_decoder", {"levels": 2})
    loss = FeatureLoss(rules.measure.loss, build(arch, torch.Generator().manual_seed(5)), weight=0.5)
    student = awake(with_value(rules.shape, "plain", {"input_skip": "identity"}))
    check_alike(student, *batch(rules.shape, SIDE_PX), loss)
