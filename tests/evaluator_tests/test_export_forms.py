"""The form in which networks are exported computes what they compute."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from evaluators.export import FORMATS, FP16, Exportable
from evaluators.export.deploy import export_form, multiple_of
from evaluators.export.transposed_convolution import CutTransposedConvolution
from space import TASKS, ZOO, build
from space.layers.bicubic import ConvolvedBicubic
from space.layers.image_ends import InputSkip
from space.layers.pooling import CoarseMaxPool
from space.layers.protocols import ExportForm
from space.specialists import networks_of
from tests.random_networks import random_architecture
from tests.small_networks import filled

SIZES = [(1, 1), (2, 3), (9, 5), (48, 36)]
LARGEST_WORK = 40_000  # parameters of a published network that the default suite runs


def image_of(channels: int, width: int, height: int) -> torch.Tensor:
    return torch.rand(1, channels, height, width, generator=torch.Generator().manual_seed(width))


def assert_equal(network: nn.Module, image: torch.Tensor) -> None:
    width, height = image.shape[3], image.shape[2]
    with torch.no_grad():
        expected = network(image)
        while not expected.isfinite().all():  # recursion over random weights can leave the range of float32
            for parameter in network.parameters():
                parameter.mul_(0.5)
            expected = network(image)
        tolerance = 1e-5 * max(1.0, float(expected.abs().max()))
        torch.testing.assert_close(export_form(network, (width, height))(image), expected, rtol=0, atol=tolerance)
        if not any(side % multiple_of(network) for side in (width, height)):
            torch.testing.assert_close(export_form(network)(image), expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("size", SIZES)
def test_bicubic_as_a_convolution_is_torch_s_to_its_borders(scale: int, size: tuple[int, int]) -> None:
    image = image_of(3, *size)
    expected = F.interpolate(image, scale_factor=scale, mode="bicubic", antialias=True)
    for form in (ConvolvedBicubic(3, scale, size), ConvolvedBicubic(3, scale)):
        torch.testing.assert_close(form(image), expected, rtol=0, atol=1e-5)


def test_the_bicubic_skip_takes_the_image_only() -> None:
    skip, image = InputSkip("bicubic", 2, 3), image_of(5, 20, 12)
    torch.testing.assert_close(skip.export_form((20, 12))(image), skip(image), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "more"), [(9, 4, 4, 3), (9, 2, 4, 1), (5, 3, 2, 2), (3, 2, 1, 1), (2, 3, 2, 2)]
)
@pytest.mark.parametrize("groups", [1, 2])
def test_a_transposed_convolution_with_output_padding_is_cut_instead(
    kernel: int, stride: int, padding: int, more: int, groups: int
) -> None:
    layer = nn.ConvTranspose2d(4, 6, kernel, stride, padding, more, groups=groups)
    network = filled(nn.Sequential(layer))
    image = image_of(4, 9, 5)
    assert_equal(network, image)
    assert isinstance(export_form(network)[0], CutTransposedConvolution)


def test_other_transposed_convolutions_stay() -> None:
    for options in ({"padding": 1}, {"padding": 0, "output_padding": 1}):
        network = nn.Sequential(nn.ConvTranspose2d(3, 3, 4, 2, **options))
        assert isinstance(export_form(network)[0], nn.ConvTranspose2d)


@pytest.mark.parametrize("mode", ["identity", "nearest", "bilinear", "push-pull"])
def test_other_skips_stay(mode: str) -> None:
    skip = InputSkip(mode, 1, 3)
    assert skip.export_form(None) is skip
    assert skip.multiple == (32 if mode == "push-pull" else 1)


@pytest.mark.parametrize("size", [(320, 180), (64, 48), (16, 16), (20, 17), (31, 23), (9, 8), (7, 5)])
def test_pooling_to_a_coarse_map_is_torch_s_adaptive_one(size: tuple[int, int]) -> None:
    pool, features = CoarseMaxPool(8), image_of(2, *size) - 0.5
    assert torch.equal(pool.export_form(size)(features), pool(features))


def test_a_network_stays_as_it_was() -> None:
    network = filled(build(ZOO["smfanet"].architecture))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    form = export_form(network, (20, 20))
    assert not any(isinstance(module, ExportForm) for module in form.modules())
    assert not any(parameter.requires_grad for parameter in form.parameters())
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert any(isinstance(module, CoarseMaxPool) for module in network.modules())


@pytest.mark.parametrize(
    "name",
    [
        name
        if sum(p.numel() for p in build(entry.architecture).parameters()) < LARGEST_WORK
        else pytest.param(name, marks=pytest.mark.long)
        for name, entry in ZOO.items()
    ],
)
def test_published_networks(name: str) -> None:
    arch = ZOO[name].architecture
    network = filled(networks_of(build(arch, torch.Generator().manual_seed(0)))[0])
    assert_equal(network, image_of(arch.shape.in_channels, 22, 18))
    assert_equal(network, image_of(arch.shape.in_channels, 64, 32))


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("count", [4, pytest.param(100, marks=pytest.mark.long)])
def test_random_networks(name: str, count: int) -> None:
    task, generator = TASKS[name], np.random.default_rng(count)
    words, scales = tuple(task.channels), tuple(task.input_sizes)
    for index in range(count):
        shape = task.shape(scales[index % len(scales)], words[index % len(words)])
        network = filled(build(random_architecture(shape, task.backbones, generator), torch.Generator().manual_seed(0)))
        assert_equal(network, image_of(shape.in_channels, 22, 18))
        assert_equal(network, image_of(shape.in_channels, 64, 32))


@pytest.mark.parametrize(
    ("name", "multiple"), [("ffdnet", 2), ("glcic", 4), ("cbdnet", 4), ("pmrid", 16), ("smfanet", 8), ("espcn", 1)]
)
def test_the_sides_that_a_network_divides(name: str, multiple: int) -> None:
    assert multiple_of(build(ZOO[name].architecture)) == multiple


class _TwoEnlargements(nn.Module):
    """One value that two operators read in float32, where the rest is computed in half precision."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return F.interpolate(y, scale_factor=2, mode="nearest") + F.interpolate(y, scale_factor=2, mode="bilinear")


def test_a_value_read_twice_in_float32_has_one_cast_in_half_precision(tmp_path: Path) -> None:
    for package in FORMATS["onnx"].needs:
        pytest.importorskip(package)
    network, image = filled(_TwoEnlargements()).requires_grad_(False), image_of(3, 12, 8)
    FORMATS["onnx"].write(Exportable(network, 3, (12, 8), dtype=FP16), tmp_path / "net.onnx")
    found = FORMATS["onnx"].open(tmp_path / "net.onnx").run(image.numpy())
    np.testing.assert_allclose(found, network(image).numpy(), atol=2e-3)
