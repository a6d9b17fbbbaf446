"""Blocks of cheap convolutions, and coarse attention over a trunk, against their formulas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.export.deploy import multiple_of
from evaluators.restore.receptive_field import halo_of
from space import BLOCKS, TASKS, UserError, architecture, architecture_from_dict, build
from space.architecture import Architecture, IOShape
from space.backbones import BACKBONES
from space.blocks.bsconv import BsConvSpec
from space.blocks.inverted import KERNEL, InvertedSpec
from space.blocks.partial import PartialSpec
from space.channels import channel_map
from space.knobs import Value
from space.layers.aligned_attention import hidden_for
from space.layers.attention import attention
from space.operators import screen, trace
from tests.pruned_networks import assert_exactly_narrowed
from tests.random_networks import random_architecture
from tests.small_networks import filled

SAME_SIZE = IOShape(3, 3)
PLAIN: dict[str, Value] = {"blocks": 4, "recursion": 1, "activation_kept": "all", "residual_scale": 1.0}
PLAIN |= {"width": 16, "malle": "none", "attention": "none", "input_skip": "none"}


def image_of(channels: int, *size: int) -> Tensor:
    return torch.randn(2, channels, *size, generator=torch.Generator().manual_seed(0))


def plain(**knobs: Value) -> Architecture:
    return architecture(SAME_SIZE, "plain", {**PLAIN, **knobs})


def weights_of(module: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in module.parameters()]


def test_blueprint_block_by_its_formula() -> None:
    block, x = filled(BsConvSpec(width=8, hidden=8).residual(0.5)), image_of(8, 7, 6)
    mix, spread, bias, mix_again, spread_again, bias_again = weights_of(block)
    inner = F.relu(F.conv2d(F.conv2d(x, mix), spread, bias, padding=1, groups=8))
    branch = F.conv2d(F.conv2d(inner, mix_again), spread_again, bias_again, padding=1, groups=8)
    assert torch.allclose(block(x), x + 0.5 * branch, atol=1e-5)
    block.fold()
    assert torch.allclose(block(x), x + 0.5 * branch, atol=1e-5)
    assert sum(map(torch.numel, weights_of(block))) == 2 * (8 * 8 + 9 * 8 + 8)


@pytest.mark.parametrize("name", ["relu", "gelu"])
def test_partial_block_is_that_of_one_convolution_whose_first_quarter_goes_on(name: str) -> None:
    spec = PartialSpec(width=8, hidden=16, activation=name)
    block, x, activation = filled(spec.residual()), image_of(8, 7, 6), {"relu": F.relu, "gelu": F.gelu}[name]
    up, up_bias, mix, mix_bias, up_rest, up_rest_bias, down, down_bias = weights_of(block)
    hidden = activation(F.conv2d(x, torch.cat((up, up_rest)), torch.cat((up_bias, up_rest_bias))))
    mixed = activation(F.conv2d(hidden[:, :4], mix, mix_bias, padding=1))
    expected = x + F.conv2d(torch.cat((mixed, hidden[:, 4:]), 1), down, down_bias)
    assert torch.allclose(block(x), expected, atol=1e-5)
    macs = 8 * 16 + 9 * 4 * 4 + 16 * 8
    assert trace(block, (1, 8, 7, 6)).macs == macs * 7 * 6
    assert sum(map(torch.numel, weights_of(block))) == macs + 16 + 4 + 8


def test_a_partial_block_without_activations_has_one_name() -> None:
    relu, gelu = (PartialSpec(width=8, hidden=16, activation=name) for name in ("relu", "gelu"))
    assert relu.linear() == gelu.linear() != relu


@pytest.mark.parametrize(
    ("spec", "fields", "words"),
    [
        (PartialSpec, {"hidden": 1}, "at least 2, got 1"),
        (PartialSpec, {"hidden": 8, "activation": "tanh"}, "unknown activation 'tanh'; known: relu, gelu"),
        (InvertedSpec, {"hidden": 8, "kernel": 4}, "must be odd and positive, got 4"),
    ],
)
def test_a_wrong_field_is_refused(spec: type, fields: dict[str, Value], words: str) -> None:
    with pytest.raises(UserError, match=words):
        spec(width=8, **fields)


@pytest.mark.parametrize("kernel", KERNEL.values)
def test_the_depthwise_kernel_is_centred(kernel: int) -> None:
    block, x = filled(InvertedSpec(width=4, hidden=8, kernel=kernel).residual()), image_of(4, 9, 8)
    up, up_bias, spread, spread_bias, down, down_bias = weights_of(block)
    inner = F.relu(F.conv2d(x, up, up_bias))
    inner = F.relu(F.conv2d(inner, spread, spread_bias, padding=(kernel - 1) // 2, groups=8))
    assert torch.allclose(block(x), x + F.conv2d(inner, down, down_bias), atol=1e-5)


def test_choices_and_architectures_without_a_kernel_are_as_before() -> None:
    before = plain(block="inverted", expansion=2)
    assert before == plain(block="inverted", expansion=2, depthwise_kernel=3)
    stored = before.to_dict()
    assert "kernel" not in stored["settings"]["blocks"][0]
    assert architecture_from_dict(stored) == before
    larger = plain(block="inverted", expansion=2, depthwise_kernel=7)
    assert architecture_from_dict(larger.to_dict()) == larger
    taps = 16 * 2 * (7**2 - 3**2)
    assert screen(larger, 24, 18).params - screen(before, 24, 18).params == PLAIN["blocks"] * taps


def test_inverted_blocks_among_others_keep_the_small_kernel() -> None:
    names = {knob.name for knob in BACKBONES["plain"].knobs_for(SAME_SIZE)}
    assert {"depthwise_kernel", "inverted_expansion"} <= names
    assert "inverted_depthwise_kernel" not in names
    mixed = plain(block="bsconv", inverted_ratio=0.5, inverted_expansion=2, inverted_at="first")
    blocks = mixed.settings.blocks
    assert [spec.kind for spec in blocks] == ["inverted", "inverted", "bsconv", "bsconv"]
    larger = tuple(replace(spec, kernel=5) if spec.kind == "inverted" else spec for spec in blocks)
    assert BACKBONES["plain"].values_of(mixed) is not None
    assert BACKBONES["plain"].values_of(replace(mixed, settings=replace(mixed.settings, blocks=larger))) is None


def test_enhanced_spatial_attention_by_its_formula() -> None:
    layer, x = filled(attention("esa", 16)), image_of(16, 20, 17)
    squeeze, squeeze_bias, strided, strided_bias, coarse, coarse_bias, local, local_bias, expand, expand_bias = (
        weights_of(layer)
    )
    hidden = F.conv2d(x, squeeze, squeeze_bias)
    halved = F.pad(F.conv2d(hidden, strided, strided_bias, stride=2, padding=1), (3, 3, 3, 3), value=-torch.inf)
    pooled = F.max_pool2d(halved, 7, 3)
    assert pooled.shape[2:] == (4, 3)
    wide = F.interpolate(F.conv2d(pooled, coarse, coarse_bias, padding=1), (24, 18), mode="bilinear")[..., :20, :17]
    weights = torch.sigmoid(F.conv2d(wide + F.conv2d(hidden, local, local_bias), expand, expand_bias))
    assert torch.allclose(layer(x), x * weights, atol=1e-5)


def test_local_importance_attention_by_its_formula() -> None:
    layer, x = filled(attention("lia", 16)), image_of(16, 20, 17)
    squeeze, squeeze_bias, strided, strided_bias, coarse, coarse_bias = weights_of(layer)
    hidden = F.conv2d(x, squeeze, squeeze_bias)
    windows = F.pad(hidden, (3, 3, 3, 3), value=-torch.inf).unfold(2, 7, 3).unfold(3, 7, 3).flatten(4)
    pooled = (windows.softmax(-1) * windows.nan_to_num(neginf=0)).sum(-1)
    halved = F.conv2d(pooled, strided, strided_bias, stride=2, padding=1)
    importance = torch.sigmoid(F.conv2d(halved, coarse, coarse_bias, padding=1))
    wide = F.interpolate(importance, (24, 18), mode="bilinear")[..., :20, :17]
    assert torch.allclose(layer(x), x * wide * torch.sigmoid(x[:, :1]), atol=1e-5)


@pytest.mark.parametrize("kind", ["esa", "lia"])
def test_coarse_attention_takes_images_of_any_size_and_tiles_at_multiples_of_6(kind: str) -> None:
    layer = attention(kind, 8)
    for size in ((1, 1), (2, 3), (7, 5), (16, 90)):
        assert layer(image_of(8, *size)).shape == (2, 8, *size)
    halo = halo_of(build(plain(block="bsconv", inverted_ratio=0.0, attention=kind)), 3)
    assert halo.is_local
    assert halo.multiple == 6


def test_a_network_divides_the_sides_as_its_trunk_and_its_attention_do() -> None:
    generator = np.random.default_rng(0)
    for name in ("plain", "pyramid", "encoder_decoder"):
        network = build(random_architecture(SAME_SIZE, (name,), generator).with_ends(attention="esa", malle=None))
        assert network.multiple == multiple_of(network) == 6 * network.trunk.multiple
        side = network.multiple
        assert network(torch.rand(1, 3, side, side)).shape == (1, 3, side, side)


def test_coarse_maps_have_a_quarter_of_the_channels() -> None:
    assert [hidden_for(channels) for channels in (8, 32, 60, 64, 512)] == [8, 8, 8, 16, 128]


def test_of_the_gate_s_channels_only_the_first_must_stay() -> None:
    network = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), attention("lia", 16), nn.Conv2d(16, 3, 3, padding=1))
    assert sorted(group.size for group in channel_map(network, 3).groups.values()) == [8, 8, 15]
    assert_exactly_narrowed(network, torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)))


@pytest.mark.parametrize("kind", ["bsconv", "partial", "inverted"])
def test_every_task_can_search_them(kind: str) -> None:
    for task in TASKS.values():
        shape = task.shape(task.default_scale)
        (knob,) = (each for each in BACKBONES[task.backbones[0]].knobs_for(shape) if each.name == "block")
        assert kind in knob.values
    own = {knob.name: knob.values[-1] for knob in BLOCKS[kind].KNOBS}
    ratio = {} if kind == "inverted" else {"inverted_ratio": 0.0}
    network = build(plain(block=kind, **own, **ratio), torch.Generator().manual_seed(0))
    assert network(torch.rand(1, 3, 9, 8)).shape == (1, 3, 9, 8)
