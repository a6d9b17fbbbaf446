"""LIST, GSAT and resampled LIST: weights by the papers' formulas, the graph by hand, folding, pricing."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from latency_tables.lowering.fusion import network_operators
from latency_tables.lowering.operators import TRAFFIC_KINDS
from space import UserError
from space.architecture import UpsamplerSpec
from space.blocks import block
from space.blocks.ar import ArSpec
from space.blocks.gsat import GsatSpec
from space.deploy import deploy_form
from space.layers.lightweight import Gsat, List, ResampledList
from space.layers.resampling import doubling, halving
from space.layers.upsamplers import upsampler
from space.operators import trace
from space.zoo.counting_rule import convolution_weights


# Lahiri et al.'s code, counted: weights of LIST, and with the biases of its PyTorch version.
@pytest.mark.parametrize(
    ("channels", "weights", "with_biases"),
    [
        ((64, 64), 2_192, 2_288),
        ((128, 128), 8_480, 8_672),
        ((256, 256), 33_344, 33_728),
        ((64, 128), 3_216, 3_376),
        ((64, 256), 5_264, 5_552),
    ],
)
def test_list_has_the_weights_of_the_released_code(channels: tuple[int, int], weights: int, with_biases: int) -> None:
    assert convolution_weights(List(*channels)) == weights
    assert sum(p.numel() for p in List(*channels).parameters()) == with_biases
    assert sum(p.numel() for p in List(*channels, bias=False).parameters()) == weights
    assert convolution_weights(ResampledList(*channels, 0.5)) == weights


@pytest.mark.parametrize("channels", [8, 16, 64, 256])
def test_list_weights_by_formula(channels: int) -> None:
    assert convolution_weights(List(channels, channels)) == channels**2 / 2 + 9 * channels / 4


@pytest.mark.parametrize(("channels", "weights"), [(64, 5_120), (128, 20_480), (256, 81_920)])
def test_gsat_weights(channels: int, weights: int) -> None:
    assert sum(p.numel() for p in Gsat(channels, 2, norm=False).parameters()) == weights == 1.25 * channels**2


def test_list_is_two_branches_on_the_squeezed_tensor() -> None:
    layer, x = List(8, 6), torch.rand(2, 8, 5, 7)
    squeezed = F.conv2d(x, layer.squeeze.weight, layer.squeeze.bias)
    spatial = F.conv2d(squeezed, layer.depthwise.weight, layer.depthwise.bias, padding=1, groups=2)
    separable = F.conv2d(spatial, layer.separable.weight, layer.separable.bias)
    pointwise = F.conv2d(squeezed, layer.pointwise.weight, layer.pointwise.bias)
    assert torch.allclose(layer(x), torch.cat((separable, pointwise), 1), atol=1e-6)


def test_gsat_mixes_groups_and_adds_its_input() -> None:
    layer, x = Gsat(16, dilation=2, norm=False), torch.rand(1, 16, 9, 8)
    y = F.conv2d(x, layer.dilated.weight, padding=2, dilation=2, groups=8)
    shuffled = y[:, [group * 2 + index for index in range(2) for group in range(8)]]
    expected = F.relu(F.conv2d(shuffled, layer.pointwise.weight, groups=8) + x)
    assert torch.allclose(layer(x), expected, atol=1e-6)


@pytest.mark.parametrize(("factor", "size"), [(0.5, (4, 6)), (2, (16, 24))])
def test_resampled_list_changes_the_size(factor: float, size: tuple[int, int]) -> None:
    layer = ResampledList(8, 4, factor)
    assert layer(torch.rand(1, 8, 8, 12)).shape == (1, 4, *size)
    assert trace(layer, (1, 8, 8, 12)).operators[0].kind == "resize"


@pytest.mark.parametrize("layer", [List(16, 8, norm=True), Gsat(16, 2), ResampledList(16, 8, 0.5, norm=True)])
def test_folding_batch_norm_changes_nothing_but_the_operators(layer: nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    for module in layer.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                tensor.data.uniform_(0.5, 2, generator=generator)
    layer.eval()
    x = torch.rand(1, 16, 8, 8, generator=generator)
    with torch.no_grad():
        before = layer(x)
        deploy_form(layer)
        assert torch.allclose(layer(x), before, atol=1e-5)
    assert "norm" not in {op.kind for op in trace(layer, (1, 16, 8, 8)).operators}


@pytest.mark.parametrize("layer", [List(16, 8), List(16, 8, norm=True), Gsat(16, 4), ResampledList(16, 8, 2)])
def test_every_weight_learns_and_phones_know_every_operator(layer: nn.Module) -> None:
    layer(torch.rand(2, 16, 8, 8)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())
    kinds = {op.kind for op in network_operators(layer, 16, (8, 8))}
    assert kinds <= {"conv", "depthwise_conv", "grouped_conv", *TRAFFIC_KINDS}


def test_a_factor_goes_into_the_last_weights() -> None:
    layer, x = List(8, 8), torch.rand(1, 8, 5, 5)
    before = layer(x)
    layer.multiply(0.1)
    assert torch.allclose(layer(x), 0.1 * before, atol=1e-6)


def test_gsat_as_a_block_without_activation_and_with_a_factor() -> None:
    spec, x = GsatSpec(width=16, activated=False, dilation=4), torch.rand(1, 16, 9, 8)
    plain, scaled = block(spec), block(spec, 0.1)
    scaled.load_state_dict(plain.state_dict())
    assert torch.allclose(scaled(x) - x, 0.1 * (plain(x) - x), atol=1e-6)
    assert plain.dilated.dilation == (4, 4)
    assert block(replace(spec, activated=True))(x).min() >= 0
    with pytest.raises(UserError, match="dilation must be 1, or more of a gsat, got 2 of 'list'"):
        ArSpec(width=8, convolution="list", dilation=2)


@pytest.mark.parametrize(
    ("kind", "weights_down", "weights_up"),
    [("pool+bilinear", 0, 0), ("strided+transposed", 9 * 16 * 24, 16 * 16 * 16), ("bilinear-list", 196, 164)],
)
def test_levels_are_halved_and_doubled(kind: str, weights_down: int, weights_up: int) -> None:
    down, up = halving(kind, 16, 24), doubling(kind, 16)
    assert (convolution_weights(down), convolution_weights(up)) == (weights_down, weights_up)
    assert down(torch.rand(1, 16, 6, 8)).shape == (1, 24 if weights_down else 16, 3, 4)
    assert up(torch.rand(1, 16, 3, 4)).shape == (1, 16, 6, 8)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("kind", ["bilinear-list", "transposed"])
def test_upsamplers_of_the_light_networks_reach_every_scale(kind: str, scale: int) -> None:
    end = upsampler(UpsamplerSpec(kind, 8), 16, 3, scale)
    assert end(torch.rand(1, 16, 5, 4)).shape == (1, 3, 5 * scale, 4 * scale)


def test_channels_that_do_not_divide_are_refused() -> None:
    with pytest.raises(UserError, match="at least 4 input channels, got 3"):
        List(3, 8)
    with pytest.raises(UserError, match="even number of output channels, got 7"):
        List(8, 7)
    with pytest.raises(UserError, match="multiple of its 8 groups, got 12"):
        Gsat(12)
