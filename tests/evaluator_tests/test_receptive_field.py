"""The halo is exact: NaN in the picture spreads just as far as the operators' rules say."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.restore.receptive_field import halo_of
from evaluators.restore.spatial_trace import COLUMNS, ROWS, spatial_trace
from space import UserError
from space.build import build
from space.specialists import networks_of
from space.zoo import ZOO

SIZE = (40, 48)  # width and height


class Applied(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, image: Tensor) -> Tensor:
        return self.function(image)


def conv(image: Tensor, kernel: int = 3, **options: int) -> Tensor:
    return F.conv2d(image, torch.ones(1, 1, kernel, kernel), **options)


OPERATORS: dict[str, Callable[[Tensor], Tensor]] = {
    "conv": lambda x: conv(x, padding=1),
    "conv 5x5, strided": lambda x: conv(x, 5, stride=2, padding=2),
    "conv, dilated": lambda x: conv(x, padding=4, dilation=4),
    "conv, no padding": lambda x: conv(x),
    "transposed 4x4": lambda x: F.conv_transpose2d(x, torch.ones(1, 1, 4, 4), stride=2, padding=1),
    "transposed 5x5 by 3": lambda x: F.conv_transpose2d(x, torch.ones(1, 1, 5, 5), stride=3, padding=1),
    "max pool": lambda x: F.max_pool2d(x, 2),
    "average pool, overlapping": lambda x: F.avg_pool2d(x, 4, stride=2, padding=1, count_include_pad=False),
    "average pool, last one cut": lambda x: F.avg_pool2d(x, 7, ceil_mode=True),
    "adaptive pool": lambda x: F.adaptive_max_pool2d(x, (12, 10)),
    "nearest": lambda x: F.interpolate(x, scale_factor=3),
    "bilinear": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
    "bilinear, half": lambda x: F.interpolate(x, scale_factor=0.5, mode="bilinear"),
    "bicubic": lambda x: F.interpolate(x, scale_factor=2, mode="bicubic"),
    "bicubic, antialiased": lambda x: F.interpolate(x, scale_factor=4, mode="bicubic", antialias=True),
    "shuffles": lambda x: F.pixel_shuffle(F.conv2d(F.pixel_unshuffle(x, 2), torch.ones(4, 4, 3, 3), padding=1), 2),
    "replicated": lambda x: conv(F.pad(x, (1, 1, 1, 1), mode="replicate")),
    "mirrored": lambda x: conv(F.pad(x, (3, 3, 3, 3), mode="reflect"), 7),
    "cut": lambda x: conv(x, padding=1)[..., 2:-3, 1:],
    "channels last": lambda x: F.layer_norm(x.permute(0, 2, 3, 1), (1,)).permute(0, 3, 1, 2) + conv(x, padding=1),
    "in place": lambda x: conv(x, padding=1).relu_().add_(conv(x, 5, padding=2)).clamp_(0, 1),
    "recursion": lambda x: conv(conv(conv(x, padding=1), padding=1), padding=1),
}  # fmt: skip


def spread(network: nn.Module, image: Tensor) -> Tensor:
    """Which rows and columns of the output hold NaN."""
    with torch.no_grad(), torch.backends.mkldnn.flags(enabled=False):
        return network(image).isnan().any(1)[0]


@pytest.mark.filterwarnings("ignore:TF32")
@pytest.mark.parametrize("name", sorted(OPERATORS))
@pytest.mark.parametrize("axis", [ROWS, COLUMNS])
def test_what_an_operator_reads_is_what_nan_reaches(name: str, axis: int) -> None:
    network = Applied(OPERATORS[name])
    trace = spatial_trace(network, 1, SIZE)
    assert not trace.whole_picture
    length = SIZE[1 - axis]
    reached: dict[int, list[int]] = {}
    for place in range(length):
        image = torch.rand(1, 1, SIZE[1], SIZE[0])
        image.select(2 + axis, place)[:] = float("nan")
        for output in spread(network, image).any(1 - axis).nonzero().flatten().tolist():
            reached.setdefault(output, []).append(place)
    assert len(reached) == trace.output_shape[2 + axis]
    for output, places in reached.items():
        low, high = trace.needs(axis, output, output)
        assert low <= places[0], (output, places)
        assert places[-1] <= max(high, 1), (output, places)  # at the edge, bilinear reads a pixel that weighs nothing
        if low > 8 and high < length - 8:
            assert (low, high) == (places[0], places[-1]), output


WHOLE = {
    "mean": lambda x: x * x.mean((2, 3), keepdim=True),
    "adaptive pool": lambda x: x * F.adaptive_avg_pool2d(x, 1),
    "instance norm": lambda x: F.instance_norm(x),
    "attention": lambda x: (x.flatten(2).transpose(1, 2) @ x.flatten(2)).softmax(-1).mean(-1).view(x.shape),
    "roll": lambda x: x.roll(1, 2),
    "corners aligned": lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True),
    "rows meet columns": lambda x: x + x.transpose(2, 3),
    "positions": lambda x: x + torch.linspace(0, 1, x.shape[3]).view(1, 1, 1, -1),
    "parts written one by one": lambda x: torch.zeros_like(x).index_copy(2, torch.arange(x.shape[2]), x),
}


@pytest.mark.parametrize("name", sorted(WHOLE))
def test_networks_that_need_the_whole_picture_are_known_by_their_operators(name: str) -> None:
    halo = halo_of(Applied(WHOLE[name]), 1)
    assert not halo.is_local
    assert "whole picture" in halo.text


@pytest.mark.parametrize(
    ("name", "halo_px", "multiple"), [("espcn", 4, 1), ("dncnn-color", 17, 1), ("ffdnet-color", 24, 2), ("prn", 72, 1)]
)
def test_halos_of_published_networks(name: str, halo_px: int, multiple: int) -> None:
    """Kernels of 5, 3 and 3; 17 of 3x3; 12 of 3x3 at half the size; six stages of twelve 3x3."""
    entry = ZOO[name]
    halo = halo_of(build(entry.architecture), entry.architecture.shape.in_channels)
    assert (halo.before, halo.after, halo.multiple) == ((halo_px,) * 2, (halo_px,) * 2, multiple)


@pytest.mark.parametrize("name", ["smfanet", "imdn", "progressive-5"])
def test_published_networks_with_figures_of_the_whole_picture(name: str) -> None:
    entry = ZOO[name]
    assert not halo_of(build(entry.architecture), entry.architecture.shape.in_channels).is_local


@pytest.mark.filterwarnings("ignore:TF32")
@pytest.mark.parametrize("name", ["fsrcnn", "feature-align", "ffdnet", "cbdnet-lite-bilinear", "etds-m4c32"])
def test_one_pixel_less_would_change_a_tile(name: str) -> None:
    shape = ZOO[name].architecture.shape
    network = networks_of(build(ZOO[name].architecture))[0].eval()
    halo = halo_of(network, shape.in_channels)
    step = halo.multiple
    start = -(-halo.before[1] // step) * step + step
    end = start + 2 * step
    width = -(-(end + halo.after[1] + 2) // step) * step + step
    tile = slice(start * shape.scale, end * shape.scale)
    for first, is_needed in ((start - halo.before[1], True), (start - halo.before[1] - 1, False)):
        image = torch.rand(1, shape.in_channels, 8 * step, width)
        image[..., : first + 1] = float("nan")
        assert bool(spread(network, image)[:, tile].any()) is is_needed
    for last, is_needed in ((end - 1 + halo.after[1], True), (end + halo.after[1], False)):
        image = torch.rand(1, shape.in_channels, 8 * step, width)
        image[..., last:] = float("nan")
        assert bool(spread(network, image)[:, tile].any()) is is_needed


def test_a_network_that_loses_its_border_is_refused() -> None:
    with pytest.raises(UserError, match="input's size or a multiple"):
        halo_of(Applied(lambda x: conv(x)), 1)
