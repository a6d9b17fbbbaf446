"""The trunk of two streams: colours that go through as they are, and one chain of 3x3 convolutions when deployed."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from evaluators.export import FORMATS, FP32, Exportable
from evaluators.export.check import compared, shots
from evaluators.export.deploy import export_form
from evaluators.export.tolerances import TOLERANCES
from evaluators.training.muon import mixes_channels
from latency_tables.lowering.fusion import architecture_operators
from latency_tables.tables.estimate import estimate
from latency_tables.tables.table import load_table, table_names
from space import TASKS, ZOO, SearchSpace, build
from space.architecture import Architecture, IOShape
from space.blocks.conv import ConvSpec
from space.build import initialise
from space.deploy import deploy_form
from space.knobs import Value
from space.layers.colour_stream import ColourConv
from space.layers.computed_conv import ComputedConv, IdentityConv
from space.operators import screen
from space.search_space import BACKBONE, first
from tests.pruned_networks import assert_ordinary, halved
from tests.random_networks import space_of
from tests.small_networks import filled

SPACE = SearchSpace(TASKS["sr"], TASKS["sr"].shape(4))
KEPT: dict[str, Value] = {"activation_kept": "all"}
SHAPES = {
    "x4": TASKS["sr"].shape(4),
    "x3 of luma": TASKS["sr"].shape(3, "y"),
    "x2": TASKS["sr"].shape(2),
    "same size": IOShape(3, 3),
    "noise map": IOShape(5, 4),
}


def streams(shape: IOShape = SHAPES["x4"], **knobs: Value) -> Architecture:
    space = space_of(shape, "streams")
    return space.decode(space.fill(first, {BACKBONE: "streams", "width": 12, "blocks": 4, **KEPT, **knobs}))


def chain(channels: int) -> int:
    """Parameters of six 3x3 convolutions from RGB to RGB at x4."""
    return 9 * (3 * channels + 4 * channels**2 + channels * 48) + 5 * channels + 48


def drawn(arch: Architecture) -> nn.Module:
    return build(arch, torch.Generator().manual_seed(0)).eval()


def an_image(shape: IOShape, height: int = 9, width: int = 7) -> torch.Tensor:
    return torch.rand(2, shape.in_channels, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("block", ["conv", "residual"])
@pytest.mark.parametrize("malle", ["none", "all"])
@pytest.mark.parametrize("kind", SHAPES)
def test_it_starts_as_exactly_the_nearest_enlargement_of_its_input(kind: str, malle: str, block: str) -> None:
    shape = SHAPES[kind]
    network, image = drawn(streams(shape, block=block, malle=malle, attention="both")), an_image(shape)
    colours = image[:, : shape.out_channels]
    with torch.no_grad():
        assert torch.equal(network(image), F.interpolate(colours, scale_factor=shape.scale, mode="nearest"))


@pytest.mark.parametrize("kept", ["all", "rare"])
def test_deployed_it_is_a_chain_of_3x3_convolutions(kept: str) -> None:
    network = filled(drawn(streams(activation_kept=kept)))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)))
    image = an_image(SHAPES["x4"])
    deployed = deploy_form(copy.deepcopy(network))
    with torch.no_grad():
        torch.testing.assert_close(deployed(image), network(image), rtol=0, atol=1e-5)
        assert torch.equal(deploy_form(deployed)(image), deployed(image))
    leaves = [module for module in deployed.modules() if not any(True for _ in module.children())]
    leaves.remove(deployed.skip)  # what it starts as, which does not run
    assert {type(module) for module in leaves} == {nn.Conv2d, nn.ReLU, nn.PixelShuffle}
    convs = [module for module in leaves if isinstance(module, nn.Conv2d)]
    assert all(conv.kernel_size == (3, 3) and conv.groups == 1 for conv in convs)
    assert len(convs) == 4 + 2
    assert not dict(deployed.named_buffers())


def test_its_costs_are_those_of_the_convolutions_alone() -> None:
    screened = screen(streams(width=28), 32, 18)
    kinds = [op.kind for op in screened.operators]
    assert kinds == [*["conv", "activation"] * 5, "conv", "pixel_shuffle"]
    assert screened.params == chain(28 + 3)


def test_of_the_paper_s_width_it_has_the_paper_s_layers() -> None:
    """But for the 1x1 convolution that clips; ETDS-M4C32 has 29 features."""
    published = screen(ZOO["etds-m4c32"].architecture, 32, 18)
    clip = 48 * 48 + 48
    assert published.params == chain(32) + clip
    assert screen(streams(width=28), 32, 18).params == chain(31)


def test_colours_see_no_features() -> None:
    network = filled(drawn(streams()))
    image, layers = an_image(SHAPES["x4"]), network.trunk.layers
    x = network.stem(image)
    other = torch.cat((x[:, :3], torch.rand_like(x[:, 3:])), 1)
    with torch.no_grad():
        for layer in layers:
            x, other = layer(x), layer(other)
            assert torch.equal(x[:, :3], other[:, :3])
            assert not torch.allclose(x[:, 3:], other[:, 3:])


def test_the_rate_of_an_image_s_channels_is_adam_s() -> None:
    """Updates of one size for all directions, Muon's, would soon carry nothing of the input."""
    network = drawn(streams())
    colour = [part.conv.weight for part in network.modules() if isinstance(part, ColourConv)]
    assert len(colour) == 5
    assert not any(map(mixes_channels, [*colour, network.upsampler.last.colour.weight]))
    assert mixes_channels(network.upsampler.last.feature.weight)


def test_an_identity_convolution_adds_its_input_and_starts_small() -> None:
    conv = IdentityConv(7, 4, scale=0.5, first=3).double()
    before = conv.conv.weight.detach().clone()
    x = torch.randn(1, 7, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(conv(x), x[:, 3:] + 0.5 * conv.conv(x))
    conv.reset()
    torch.testing.assert_close(conv.conv.weight, before / 4)


@pytest.mark.parametrize("width", [8, 64])
def test_deep_rows_of_single_convolutions_stay_in_range(width: int) -> None:
    block = nn.Sequential(*(ConvSpec(width=width).residual() for _ in range(96)))
    initialise(block, torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert block(torch.rand(1, width, 16, 16, generator=torch.Generator().manual_seed(1))).abs().max() < 20


@pytest.mark.parametrize("block", ["conv", "residual"])
def test_pruned_it_is_an_ordinary_network(block: str) -> None:
    arch = halved(streams(block=block))
    assert_ordinary(arch, build(arch, torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("block", ["conv", "inverted"])
def test_every_shipped_table_prices_it(block: str) -> None:
    operators = architecture_operators(streams(block=block, attention="esa"), (320, 180))
    for name in table_names():
        assert estimate(load_table(name), operators).ms > 0


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_gives_what_torch_gives(name: str, tmp_path: Path) -> None:
    form = FORMATS[name]
    for package in form.needs:
        pytest.importorskip(package)
    network, size = filled(drawn(streams())), (20, 18)
    path = tmp_path / f"model{form.suffix}"
    form.write(Exportable(export_form(network, size), 3, size, False, 1, FP32), path)
    shot = shots(network, 3, size, 1, (), None)[0]
    figures = compared([shot], [form.open(path).run(shot.image)])
    assert TOLERANCES[FP32].broken_by(figures) == ()


def test_a_folded_network_has_nothing_left_to_compute() -> None:
    deployed = deploy_form(drawn(streams(block="residual", malle="all")))
    left = [part for part in deployed.modules() if isinstance(part, ComputedConv)]
    assert left
    assert all(dict(part.named_children()).keys() == {"plain"} for part in left)
