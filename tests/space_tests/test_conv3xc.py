"""Conv3XC, the blocks of SPAN and SPANV2 that are made of it, and their input skip."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space.build import initialise
from space.deploy import deploy_form
from space.layers.conv3xc import Conv3XC
from space.layers.nearest_conv import NearestConv
from space.layers.spab import Spab
from space.layers.spabv2 import SpabV2


def an_image(channels: int, height: int = 7, width: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, channels, height, width, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("inp", "out"), [(3, 8), (8, 8), (8, 5)])
def test_conv3xc_folds_into_one_convolution_also_at_the_border(inp: int, out: int, bias: bool) -> None:
    layer, x = Conv3XC(inp, out, bias).double(), an_image(inp)
    with torch.no_grad():
        before = layer(x)
        layer.fold()
        layer.fold()
        torch.testing.assert_close(layer(x), before)
    assert [name for name, _ in layer.named_modules()] == ["", "plain"]
    assert sum(parameter.numel() for parameter in layer.parameters()) == 9 * inp * out + bias * out


def test_conv3xc_is_wider_inside_and_has_a_skip() -> None:
    layer, x = Conv3XC(4, 6).double(), an_image(4)
    assert layer.conv.weight.shape == (12, 8, 3, 3)
    inner = F.conv2d(layer.expand(F.pad(x, (1, 1, 1, 1))), layer.conv.weight, layer.conv.bias)
    torch.testing.assert_close(layer(x), layer.project(inner) + layer.skip(x))
    layer(x).square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in layer.parameters())


@pytest.mark.parametrize("inp", [3, 8])
def test_spab_weighs_by_what_it_computes(inp: int) -> None:
    block, x = Spab(8, inp).double(), an_image(inp)
    d = block.third(F.silu(block.second(F.silu(block.first(x)))))
    torch.testing.assert_close(block(x), (x + d) * (torch.sigmoid(d) - 0.5) if inp == 8 else d)


@pytest.mark.parametrize("inp", [3, 8])
def test_spabv2_learns_its_weights(inp: int) -> None:
    block, x = SpabV2(8, inp).double(), an_image(inp)
    d = block.third(F.relu(block.second(F.relu(block.first(x)))))
    if inp == 8:
        assert block.guidance is not None
        torch.testing.assert_close(block(x), (x + d) * block.guidance(d))
    else:
        torch.testing.assert_close(block(x), F.relu(d))


@pytest.mark.parametrize("block", [Spab(8), Spab(8, 3), SpabV2(8), SpabV2(8, 3)])
def test_blocks_fold_into_plain_convolutions(block: nn.Module) -> None:
    assert isinstance(block, Spab | SpabV2)
    assert isinstance(block.first, Conv3XC)
    x = an_image(block.first.expand.in_channels)
    with torch.no_grad():
        before = block.double()(x)
        torch.testing.assert_close(deploy_form(block)(x), before)
    assert all(part.plain is not None for part in block.modules() if isinstance(part, Conv3XC))


@pytest.mark.parametrize("learned", [True, False])
def test_the_input_skip_starts_as_the_nearest_enlargement(learned: bool) -> None:
    layer = NearestConv(3, 4, learned)
    initialise(layer, torch.Generator().manual_seed(1))
    image = an_image(3).float()
    assert torch.equal(F.pixel_shuffle(layer(image), 4), F.interpolate(image, scale_factor=4, mode="nearest"))
    assert layer.weight.requires_grad is learned
