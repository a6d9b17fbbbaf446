"""The AR block and the Feature-Align layer: counts by formula, modulation by hand."""

import pytest
import torch

from space.blocks.feature_align import ArBlock, FeatureAlign
from space.blocks.padding import Cut, FillUp
from space.operators import trace


@pytest.mark.parametrize(("channels", "out"), [(16, 16), (16, 32), (64, 32)])
def test_ar_block_parameters(channels: int, out: int) -> None:
    count = sum(p.numel() for p in ArBlock(channels, out).parameters())
    assert count == channels**2 + 9 * channels**2 // 8 + 2 * channels + channels * out + out
    depthwise = sum(p.numel() for p in ArBlock(channels, out, groups=0).parameters())
    assert depthwise == channels**2 + 9 * channels + 2 * channels + channels * out + out


def test_feature_align_modulates_with_the_image() -> None:
    layer = FeatureAlign(8, 16, 4)
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
