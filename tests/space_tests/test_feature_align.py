"""The AR block and the Feature-Align layer: counts by formula, modulation by hand."""

import pytest
import torch
from torch import nn

from space.blocks.ar import ArBlock, ArSpec
from space.build import initialise
from space.layers.feature_align import FeatureAlign
from space.layers.padding import Cut, FillUp
from space.operators import trace


@pytest.mark.parametrize(("channels", "out"), [(16, 16), (16, 32), (64, 32)])
def test_ar_block_parameters(channels: int, out: int) -> None:
    count = sum(p.numel() for p in ArBlock(ArSpec(width=channels), out).parameters())
    assert count == channels**2 + 9 * channels**2 // 8 + 2 * channels + channels * out + out
    depthwise = sum(p.numel() for p in ArBlock(ArSpec(width=channels, convolution="depthwise"), out).parameters())
    assert depthwise == channels**2 + 9 * channels + 2 * channels + channels * out + out


def test_feature_align_modulates_with_the_image() -> None:
    layer = FeatureAlign(ArSpec(width=8).changing(16), 16, 4)
    feature, image = torch.rand(2, 8, 6, 5), torch.rand(2, 4, 6, 5)
    read = torch.relu(layer.read[0](image))
    expected = layer.block(feature) * layer.gamma(read) + layer.beta(read)
    assert torch.allclose(layer(feature, image), expected, atol=1e-6)
    assert not torch.allclose(layer(feature, image), layer(feature, image.flip(3)))
    align = sum(p.numel() for p in layer.parameters()) - sum(p.numel() for p in layer.block.parameters())
    assert align == 20 + 2 * 5 * 16
    assert trace(layer, (1, 8, 6, 5), (1, 4, 6, 5)).output_shape == (1, 16, 6, 5)


@pytest.mark.parametrize(("size", "filled"), [((9, 16), (16, 16)), ((8, 8), (8, 8)), ((1, 3), (8, 8))])
def test_any_size_is_filled_up_and_cut(size: tuple[int, int], filled: tuple[int, int]) -> None:
    image = torch.rand(1, 3, *size)
    full = FillUp(8)(image)
    assert full.shape[-2:] == filled
    assert torch.equal(Cut(1)(full, image), image)
    assert torch.equal(full[..., -1, -1], image[..., -1, -1])


def test_drawn_weights_carry_the_image_through_a_row_of_blocks() -> None:
    row = nn.Sequential(*(ArBlock(ArSpec(width=32), 32) for _ in range(8)))
    initialise(row, torch.Generator().manual_seed(0))
    values = torch.randn(1, 32, 24, 24, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        given = row(values)
    assert 0.1 < given.std(dim=(2, 3)).mean() < 10
