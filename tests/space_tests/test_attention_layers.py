"""Convolutions and attentions of small networks for super-resolution: windows, batches, sizes that they refuse."""

import pytest
import torch
from torch import Tensor, nn

from space import UserError
from space.architecture import IOShape
from space.layers.bsconv import BsConv
from space.layers.channel_transformer import ChannelTransformer
from space.layers.coarse_attention import CoarseAttention
from space.layers.gated_self_attention import GatedSelfAttention
from space.layers.layer_norm import ChannelLayerNorm
from space.layers.local_distillation import LocalDistillation
from space.layers.multi_scale_conv import MultiScaleConv, MultiScaleResidual
from space.layers.windows import joined_windows, split_into_windows, window_starts
from space.zoo.vscinet import Vscinet, VscinetSettings
from space.zoo.zenosr import Zenosr, ZenosrSettings

SIZES = [(8, 8), (5, 7), (20, 8), (17, 33), (64, 9)]


def image_of(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("length", "starts"), [(50, [0]), (72, [0]), (73, [0, 1]), (144, [0, 72]), (145, [0, 37, 73]), (180, [0, 54, 108])]
)
def test_windows_of_72_are_as_few_as_cover_a_side(length: int, starts: list[int]) -> None:
    assert window_starts(length, 72) == starts


@pytest.mark.parametrize("window", [3, 8])
@pytest.mark.parametrize("size", SIZES)
def test_windows_are_joined_again(size: tuple[int, int], window: int) -> None:
    image = image_of(2, 3, *size)
    windows = split_into_windows(image, window)
    assert windows.shape[1:] == (3, min(size[0], window), min(size[1], window))
    assert torch.allclose(joined_windows(windows, size, window), image, atol=1e-6)


def test_where_windows_overlap_is_their_mean() -> None:
    image = torch.zeros(1, 1, 1, 5)
    windows = split_into_windows(image, 3)
    windows[0], windows[1] = 1, 4  # pixels 0 to 2, and 2 to 4
    assert joined_windows(windows, (1, 5), 3).flatten().tolist() == [1, 1, 2.5, 4, 4]


@pytest.mark.parametrize("size", SIZES)
def test_attention_in_windows_is_that_of_each_image(size: tuple[int, int]) -> None:
    layer, images = GatedSelfAttention(4, window=8).eval(), image_of(2, 4, *size)
    with torch.no_grad():
        together = layer(images)
        apart = torch.cat([layer(image) for image in images.split(1)])
        whole = layer.train()(images)
    assert torch.allclose(together, apart, atol=1e-6)
    assert torch.allclose(together, whole, atol=1e-6) == (max(size) <= 8)


def test_attention_in_windows_exports() -> None:
    layer, image = GatedSelfAttention(4, window=8).eval(), image_of(1, 4, 20, 13)
    program = torch.export.export(layer, (image,))
    with torch.no_grad():
        assert torch.allclose(program.module()(image), layer(image), atol=1e-6)


def test_attention_to_oneself_alone_returns_the_values() -> None:
    layer = GatedSelfAttention(3)
    gated = image_of(1, 6, 9, 9)
    gated[:, :3] = gated[:, 3:]  # queries that are the keys
    layer.temperature.data.fill_(1e4)
    assert torch.allclose(layer.attended(gated), gated[:, 3:], atol=1e-6)


def test_layer_norm_is_over_the_channels_of_a_pixel() -> None:
    layer, image = ChannelLayerNorm(6), image_of(2, 6, 4, 5)
    mean, variance = image.mean(1, keepdim=True), image.var(1, keepdim=True, correction=0)
    assert torch.allclose(layer(image), (image - mean) / (variance + 1e-5).sqrt(), atol=1e-5)


@pytest.mark.parametrize("bias", [True, False])
def test_a_blueprint_separable_convolution_has_few_weights(bias: bool) -> None:
    layer = BsConv(8, 12, 5, bias=bias, pointwise_bias=False)
    assert sum(parameter.numel() for parameter in layer.parameters()) == 8 * 12 + 25 * 12 + 12 * bias
    assert layer(image_of(1, 8, 6, 7)).shape == (1, 12, 6, 7)
    assert (BsConv(8, 12).pointwise.bias is None, BsConv(8, 12, bias=False).pointwise.bias is None) == (False, True)


@pytest.mark.parametrize(
    "layer",
    [
        LocalDistillation(6),
        LocalDistillation(6, steps=1),
        MultiScaleConv(8),
        MultiScaleResidual(8, kernel_size=5),
        CoarseAttention(6),
        CoarseAttention(6, hidden=2, weighted=False),
        ChannelTransformer(6, expansion=1.5, window=8),
    ],
)
def test_parts_keep_the_shape_and_every_parameter_learns(layer: nn.Module) -> None:
    channels = 8 if isinstance(layer, MultiScaleConv) else 6
    for size in ((5, 7), (18, 21)):
        output = layer(image_of(2, channels, *size))
        assert output.shape == (2, channels, *size)
    output.square().mean().backward()
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in layer.parameters())


def test_channels_that_do_not_divide_are_refused() -> None:
    with pytest.raises(UserError, match="channels of multi-scale convolutions must be a multiple of 4, got 18"):
        MultiScaleConv(18)
    with pytest.raises(UserError, match="the width of local distillation must be even, got 17"):
        Zenosr(IOShape(3, 3, 4), ZenosrSettings(width=17))
    with pytest.raises(UserError, match="ZenoSR works on RGB: channels must be 3 to 3, got 1 to 1"):
        Zenosr(IOShape(1, 1, 4), ZenosrSettings())
    with pytest.raises(UserError, match="VSCINet works on RGB: channels must be 3 to 3, got 4 to 3"):
        Vscinet(IOShape(4, 3, 4), VscinetSettings())
