"""Tiles equal the whole picture, bit for bit; and take the memory that they are given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from evaluators.restore.exact import exact_function, exact_network
from evaluators.restore.plan import Planner
from evaluators.restore.tiles import restore_tiled, torch_run
from space import UserError
from space.architecture import Architecture
from space.build import build
from space.search_space import SearchSpace
from space.specialists import networks_of
from space.tasks import TASKS
from space.zoo import ZOO


def alive(arch: Architecture, seed: int = 0) -> nn.Module:
    """A network with no weight left at zero, and with batch norms that do something."""
    generator = torch.Generator().manual_seed(seed)
    network = networks_of(build(arch, generator))[0].eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1 and not parameter.any():
                parameter.normal_(0, 0.05, generator=generator)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1, generator=generator)
                module.running_var.uniform_(0.5, 2, generator=generator)
    return network


def check(network: nn.Module, channels: int, most_px: int = 400) -> bool:
    """Whether three tiles in a row equal the whole; False of networks that need the whole picture, or much of it."""
    planner = Planner(network, channels)
    halo = planner.halo
    step = halo.multiple
    around = sum(-(-each // step) * step for each in (halo.before[1], halo.after[1]))
    window, height = around + max(step, 8 // step * step), -(-24 // step) * step
    length = window + 2 * (window - around)
    if not halo.is_local or length > most_px:
        return False
    plan = planner.fixed((length, height), (window, height))
    assert (plan.count, plan.extended, plan.notes) == (3, (0, 0), ())
    picture = np.random.default_rng(1).random((height, length, channels), np.float32)
    run = torch_run(network)
    tiled = restore_tiled(run, lambda box: picture[box.top : box.bottom, box.left : box.right], plan)
    whole = run(np.ascontiguousarray(picture.transpose(2, 0, 1)[None]))[0].transpose(1, 2, 0)
    assert np.array_equal(tiled, whole)
    return True


@pytest.mark.parametrize(
    "name", ["s-lwsr16", "fsrcnn", "espcn", "feature-align", "ffdnet-color", "cbdnet-lite-bilinear"]
)
def test_tiles_of_published_networks_equal_the_whole(name: str) -> None:
    assert check(alive(ZOO[name].architecture), ZOO[name].architecture.shape.in_channels)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(ZOO))
def test_tiles_of_every_published_network_equal_the_whole(name: str) -> None:
    shape = ZOO[name].architecture.shape
    is_checked = check(alive(ZOO[name].architecture), shape.in_channels, most_px=1600)
    if not is_checked:
        assert not Planner(alive(ZOO[name].architecture), shape.in_channels).halo.is_local


def random_networks(task: str, seed: int, count: int) -> int:
    """Checks ``count`` random networks of ``task``; returns how many were cut into tiles."""
    generator = np.random.default_rng(seed)
    cut = 0
    for index in range(count):
        scale = int(generator.choice(list(TASKS[task].input_sizes)))
        shape = TASKS[task].shape(scale, str(generator.choice(list(TASKS[task].channels))))
        space = SearchSpace(TASKS[task], shape)
        arch = space.decode(space.random(generator))
        cut += check(alive(arch, index), shape.in_channels, 240)
    return cut


@pytest.mark.parametrize("task", sorted(TASKS))
def test_tiles_of_random_networks_equal_the_whole(task: str) -> None:
    random_networks(task, 0, 3)


@pytest.mark.long
@pytest.mark.parametrize("task", sorted(TASKS))
def test_tiles_of_many_random_networks_equal_the_whole(task: str) -> None:
    assert random_networks(task, 1, 40) > 5


@pytest.mark.parametrize("size", [(131, 97), (128, 64)])
def test_plans_of_any_size_equal_the_whole(size: tuple[int, int]) -> None:
    network = alive(ZOO["feature-align"].architecture)
    planner = Planner(network, 4)
    plan = planner.plan((size[0] * 2, size[1]), int(0.8 * planner.peak_bytes((size[0] * 2, size[1]))))
    assert plan.count > 1
    picture = np.random.default_rng(1).random((size[1], size[0] * 2, 4), np.float32)
    run = torch_run(network)
    tiled = restore_tiled(run, lambda box: picture[box.top : box.bottom, box.left : box.right], plan)
    assert np.array_equal(tiled, run(np.ascontiguousarray(picture.transpose(2, 0, 1)[None]))[0].transpose(1, 2, 0))
    assert plan.peak_bytes <= 0.8 * planner.peak_bytes((size[0] * 2, size[1]))


def test_windows_are_alike_and_cover_the_picture_once() -> None:
    planner = Planner(build(ZOO["espcn"].architecture), 1)
    plan = planner.plan((1000, 700), 40_000_000)
    seen = np.zeros((700, 1000), int)
    for tile in plan.tiles():
        seen[tile.core.top : tile.core.bottom, tile.core.left : tile.core.right] += 1
    assert (seen == 1).all()
    assert len(plan.window_shapes) <= 4
    assert 0 < plan.overhead < 0.2


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize(("mode", "antialias"), [("bilinear", False), ("bicubic", False), ("bicubic", True)])
def test_exact_resizes_are_torchs_own(factor: int, mode: str, antialias: bool) -> None:
    picture = torch.rand(1, 3, 20, 30)

    def resize(image: torch.Tensor) -> torch.Tensor:
        return F.interpolate(image, scale_factor=factor, mode=mode, align_corners=False, antialias=antialias)

    exact = exact_function(resize)(picture)
    assert torch.allclose(exact, resize(picture), atol=2e-6)
    part = exact_function(resize)(picture[..., 7:])
    assert torch.equal(part[..., 3 * factor :], exact[..., 10 * factor :])


def test_exact_networks_differ_from_torchs_by_rounding_only() -> None:
    network = alive(ZOO["glcic-lite"].architecture)
    picture = torch.rand(1, 4, 40, 44)
    with torch.no_grad():
        assert torch.allclose(exact_network(network)(picture), network(picture), atol=1e-5)


def test_a_network_that_needs_the_whole_picture_gets_it_or_is_refused() -> None:
    planner = Planner(build(ZOO["imdn"].architecture), 3)
    assert planner.plan((300, 200), 1_000_000_000).count == 1
    with pytest.raises(UserError, match=r"takes [\d,]+ MB more than --memory leaves.*--tiled-anyway"):
        planner.plan((600, 400), 100_000_000)
    plan = planner.plan((600, 400), 100_000_000, tiled_anyway=True)
    assert plan.count > 1
    assert "differ" in plan.notes[0]


def test_too_little_memory_is_one_line() -> None:
    planner = Planner(build(ZOO["s-lwsr16"].architecture), 3)
    with pytest.raises(UserError, match="--memory must leave"):
        planner.plan((4000, 3000), 10_000_000)
