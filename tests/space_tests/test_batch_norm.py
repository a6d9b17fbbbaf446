"""Batch norm folded into the convolution before it."""

import copy

import pytest
import torch
from torch import nn

from space.layers.batch_norm import fold_batch_norm


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
