"""Layers of recent small networks: folds are exact, small images pass, wrong settings are refused."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from space import UserError, build
from space.architecture import Architecture, IOShape
from space.layers.bsconv import BsConv
from space.layers.contrast_attention import ContrastAttention
from space.layers.esa import EnhancedSpatialAttention, blueprint_esa
from space.layers.local_importance_attention import LocalImportanceAttention, SoftPool
from space.layers.rep_mb_conv import RepMBConv
from space.layers.safm import Safm
from space.zoo.plainusr import PlainUsrSettings

SAME_SIZE = {
    "esa": lambda: EnhancedSpatialAttention(16, 8),
    "blueprint esa": lambda: blueprint_esa(16, 4),
    "lia": lambda: LocalImportanceAttention(16, 4),
    "cca": lambda: ContrastAttention(16),
    "safm": lambda: Safm(16),
    "rep-mb-conv": lambda: RepMBConv(16),
    "bsconv": lambda: BsConv(16, 16, 5, pointwise_bias=False),
}


def features(height: int = 20, width: int = 17) -> Tensor:
    return torch.randn(2, 16, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(3, 4), (7, 14), (16, 15), (20, 17)])
@pytest.mark.parametrize("name", SAME_SIZE)
def test_features_keep_their_size_and_are_finite(name: str, size: tuple[int, int]) -> None:
    x = features(*size)
    y = SAME_SIZE[name]()(x)
    assert y.shape == x.shape
    assert y.isfinite().all()


@pytest.mark.parametrize("name", ["esa", "blueprint esa", "lia", "cca"])
def test_attention_only_weakens(name: str) -> None:
    x = features()
    assert (SAME_SIZE[name]()(x).abs() <= x.abs()).all()


def test_rep_mb_conv_folds_into_one_convolution_also_at_the_border() -> None:
    layer, x = RepMBConv(16).double(), features().double()
    nn.init.normal_(layer.gate_input)
    nn.init.normal_(layer.expand.bias)
    expected = layer(x)
    layer.fold()
    layer.fold()
    assert [name for name, _ in layer.named_parameters()] == ["plain.weight", "plain.bias"]
    torch.testing.assert_close(layer(x), expected)


def test_bsconv_is_a_dense_convolution_of_one_blueprint_a_channel() -> None:
    layer, x = BsConv(16, 8, pointwise_bias=False), features()
    kernel = layer.depthwise.weight * layer.pointwise.weight  # (8, 1, 3, 3) times (8, 16, 1, 1)
    torch.testing.assert_close(layer(x), F.conv2d(x, kernel, layer.depthwise.bias, padding=1))


def test_a_soft_pool_lies_between_mean_and_maximum() -> None:
    x = features(21, 21)
    pooled = SoftPool()(x)
    assert pooled.shape == (2, 16, 5, 5)
    assert (F.avg_pool2d(x, 7, 3) < pooled).all()
    assert (pooled < F.max_pool2d(x, 7, 3)).all()


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UserError, match="multiple of its 4 levels, got 10"):
        Safm(10)
    with pytest.raises(UserError, match="give the channels that it takes, got 4 to 3"):
        build(Architecture(IOShape(4, 3, 4), "plainusr", PlainUsrSettings(32, 16, 8, 4)))
    with pytest.raises(UserError, match=r"fewer channels in each inner block, got \(32, 32, 8\)"):
        build(Architecture(IOShape(3, 3, 4), "plainusr", PlainUsrSettings(32, 32, 8, 4)))
