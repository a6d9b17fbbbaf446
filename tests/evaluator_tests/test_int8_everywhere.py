"""int8 as it is simulated, over all published networks and random designs of every task, and against LiteRT's files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from evaluators.compression.int8 import Int8Network, quantized
from evaluators.compression.int8.costs import int8_costs
from evaluators.export import FORMATS, INT8, Exportable
from evaluators.export.deploy import export_form
from evaluators.images.embedded import validation_photographs
from latency_tables.tables.table import load_table
from space import TASKS, ZOO, SearchSpace, build
from space.architecture import Architecture
from space.specialists import networks_of
from tests.small_networks import filled

pytestmark = pytest.mark.long

SIZES = ((16, 32), (32, 16))  # (height, width): multiples of 16, which every network divides
RANDOM = tuple((task, seed) for task in TASKS for seed in range(8))
COSTED = (96, 64)


def random_architecture(task: str, seed: int) -> Architecture:
    space = SearchSpace(TASKS[task], TASKS[task].shape(TASKS[task].default_scale))
    return space.decode(space.random(np.random.default_rng(seed)))


def check(arch: Architecture) -> None:
    network = build(arch, torch.Generator().manual_seed(0)).eval()
    for each in networks_of(network):
        filled(each)
    generator = torch.Generator().manual_seed(1)
    images = [torch.rand(1, arch.shape.in_channels, *size, generator=generator) for size in SIZES]
    for part in networks_of(quantized(network, images[:1])):
        assert isinstance(part, Int8Network)
        for image in images:
            check_runs(part, image)
    costs = int8_costs(arch, COSTED, [load_table("pixel4-a76")])
    assert costs.weight_bytes > costs.params > 0
    assert costs.latency["pixel4-a76"].ms > 0


def check_runs(int8: Int8Network, image: Tensor) -> None:
    with torch.no_grad():
        exact, output = int8.network(image), int8(image)
    assert output.shape == exact.shape
    assert output.isfinite().all()
    assert not torch.equal(output, exact), "nothing was rounded"
    assert reached(int8, int8, image) == reached(int8, int8.network, image), "a gradient ends where values are rounded"


def reached(int8: Int8Network, run: nn.Module, image: Tensor) -> set[str]:
    """The weights that a gradient of the output of ``run`` reaches."""
    int8.zero_grad(set_to_none=True)
    run(image).square().mean().backward()
    return {name for name, value in int8.network.named_parameters() if value.grad is not None}


@pytest.mark.parametrize("name", sorted(ZOO))
def test_published_networks(name: str) -> None:
    check(ZOO[name].architecture)


@pytest.mark.parametrize(("task", "seed"), RANDOM)
def test_searched_networks(task: str, seed: int) -> None:
    check(random_architecture(task, seed))


SIZE = (64, 48)  # (width, height)
AGREE = (
    "s-lwsr16", "smfanet", "imdn", "fsrcnn", "ecbsr-m4c8", "etds-m4c32", "srresnet-lite", "dncnn-list", "ffdnet-color",
    "progressive-5", "mallenet-16", "feature-align", "cbdnet-lite-bilinear", "pmrid", "prn", "glcic-lite-list",
)  # fmt: skip


def photographs(channels: int) -> list[Tensor]:
    """Three crops `(1, channels, 48, 64)`."""
    width, height = SIZE
    images = []
    for photograph in validation_photographs()[:3]:
        pixels = photograph.pixels[100 : 100 + height, 100 : 100 + width].astype(np.float32) / 255
        values = torch.from_numpy(pixels).permute(2, 0, 1)[None]
        values = values.mean(1, keepdim=True) if channels == 1 else values.repeat(1, 2, 1, 1)[:, :channels]
        images.append(values.contiguous())
    return images


def assert_agrees(network: nn.Module, channels: int, folder: Path) -> None:
    """The simulation loses what LiteRT's file loses, and lies nearer to it than torch does."""
    for package in FORMATS["litert"].needs:
        pytest.importorskip(package)
    *calibration, image = photographs(channels)
    with torch.no_grad():
        simulated, exact = quantized(network, calibration)(image).numpy(), network(image).numpy()
    numbers = tuple(each.numpy() for each in calibration)
    path = folder / "model.tflite"
    FORMATS["litert"].write(
        Exportable(export_form(network, SIZE), channels, SIZE, dtype=INT8, calibration=numbers), path
    )
    real = FORMATS["litert"].open(path).run(image.numpy())
    assert psnr(simulated, exact) == pytest.approx(psnr(real, exact), abs=0.5)
    assert psnr(simulated, real) > psnr(real, exact) - 0.5


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    return -10 * float(np.log10(max(1e-12, np.mean((first - second) ** 2))))


@pytest.mark.parametrize("name", AGREE)
def test_published_networks_lose_what_litert_loses(name: str, tmp_path: Path) -> None:
    arch = ZOO[name].architecture
    network = filled(build(arch, torch.Generator().manual_seed(0)))
    assert_agrees(network, arch.shape.in_channels, tmp_path)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_searched_networks_lose_what_litert_loses(task: str, tmp_path: Path) -> None:
    arch = random_architecture(task, 0)
    network = filled(networks_of(build(arch, torch.Generator().manual_seed(0)))[0])
    assert_agrees(network, arch.shape.in_channels, tmp_path)
