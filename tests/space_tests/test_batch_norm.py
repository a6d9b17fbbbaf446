"""Batch norm folded into the convolution before it."""

import copy

import pytest
import torch
from torch import nn

from space.layers.batch_norm import Normed, fold_batch_norm
from space.layers.lightweight import List


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("layer", [nn.Conv2d, nn.ConvTranspose2d])
def test_the_folded_convolution_computes_the_same(layer: type[nn.Module], bias: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    conv, norm = layer(4, 6, 3, bias=bias), nn.BatchNorm2d(6)
    for tensor in (*norm.parameters(), *norm.buffers()):
        if tensor.is_floating_point():
            tensor.data = torch.rand(tensor.shape, generator=generator) + 0.5
    image = torch.rand(2, 4, 9, 8, generator=generator)
    wanted = nn.Sequential(conv, norm.eval())(image)
    folded = fold_batch_norm(copy.deepcopy(conv), norm)
    torch.testing.assert_close(folded(image), wanted)
    assert sum(parameter.numel() for parameter in folded.parameters()) == conv.weight.numel() + 6


@pytest.mark.parametrize("layer", [nn.Conv2d(8, 6, 3), nn.ConvTranspose2d(8, 6, 2), List(8, 6)])
def test_a_norm_folds_into_the_layer_before_it(layer: nn.Module) -> None:
    generator = torch.Generator().manual_seed(0)
    normed = Normed(layer, 6).eval()
    for tensor in (*normed.norm.parameters(), normed.norm.running_mean, normed.norm.running_var):
        tensor.data.uniform_(0.5, 1.5, generator=generator)
    x = torch.rand(1, 8, 9, 7, generator=generator)
    with torch.no_grad():
        before = normed(x)
        normed.fold()
        normed.fold()
        torch.testing.assert_close(normed(x), before)
    assert normed.norm is None
