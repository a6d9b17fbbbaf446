"""Channels that belong together, what is left without some of them, and pruned architectures."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from evaluators.costs import architecture_costs
from space import TASKS, ZOO, SearchSpace, build
from space.architecture import Architecture
from space.blocks.block import Residual
from space.build import architecture_from_dict
from space.channels import channel_map, narrow
from space.channels.widths import architecture_channels
from space.errors import UserError
from space.layers.lightweight import Gsat
from tests.pruned_networks import SIDE, assert_exact, assert_exactly_narrowed, drawn, halved, image_of, silenced
from tests.small_networks import filled

LIGHT = 60_000  # parameters of a published network in the default suite


def _params(arch: Architecture) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build(arch).parameters())


NETWORKS = [
    pytest.param(name, marks=[] if _params(entry.architecture) < LIGHT else pytest.mark.long)
    for name, entry in ZOO.items()
]


@pytest.mark.parametrize("name", NETWORKS)
def test_silent_channels_of_published_networks_can_go(name: str) -> None:
    assert_exact(ZOO[name].architecture)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("task", TASKS)
def test_silent_channels_of_searched_networks_can_go(task: str, seed: int) -> None:
    space = SearchSpace(TASKS[task], TASKS[task].shape(TASKS[task].default_scale))
    assert_exact(space.decode(space.random(np.random.default_rng((seed, len(task))))))


@pytest.mark.parametrize(
    "name", ["s-lwsr16", "glcic-lite", "feature-align", "mallenet-port-8", "prenet", "carn-m", "espcn"]
)
def test_a_pruned_architecture_is_a_value(name: str) -> None:
    arch = halved(ZOO[name].architecture)
    assert architecture_from_dict(json.loads(json.dumps(arch.to_dict()))) == arch
    assert arch.key != arch.unpruned.key == ZOO[name].architecture.key
    network = build(arch, torch.Generator().manual_seed(0))
    wide = build(arch.unpruned, torch.Generator().manual_seed(0))
    with torch.no_grad():
        channels = architecture_channels(arch.unpruned)
        narrow(wide, channels, drawn(channels, 0.5, seed=3) | {n: list(range(c)) for n, c in arch.widths})
        network.load_state_dict(wide.state_dict())
        assert torch.equal(network.eval()(image_of(arch)), wide.eval()(image_of(arch)))
    costs, whole = (architecture_costs(each, (SIDE, SIDE)) for each in (arch, arch.unpruned))
    assert costs.macs < 0.6 * whole.macs
    assert costs.params < 0.6 * whole.params
    assert costs.peak_activation_bytes < whole.peak_activation_bytes


@pytest.mark.parametrize("name", ["s-lwsr16", "mallenet-16"])
def test_which_units_go_does_not_change_the_shapes(name: str) -> None:
    arch = ZOO[name].architecture
    channels = architecture_channels(arch)
    shapes = []
    for seed in range(2):
        network = narrow(build(arch), channels, drawn(channels, 0.4, seed))
        shapes.append({key: tensor.shape for key, tensor in network.state_dict().items()})
    assert shapes[0] == shapes[1]


def test_a_trained_step_of_a_pruned_network_reaches_every_weight() -> None:
    arch = halved(ZOO["glcic-lite"].architecture)
    network = filled(build(arch)).train()
    network(image_of(arch).repeat(2, 1, 1, 1)).square().mean().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


class _Odd(nn.Module):
    """Channels at places that the code names, and an operator without a rule."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)
        self.free = nn.Conv2d(8, 12, 1)
        self.back = nn.Conv2d(12, 8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x)
        y = torch.cat((y[:, :2], y[:, 2:].roll(1, 1)), 1)
        return self.last(self.back(self.free(y)) + y)


class _AttentionOfChannels(nn.Module):
    """Likeness of channels to channels, by which they are mixed; no softmax, which counts silent ones."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        query, value = self.first(x).chunk(2, 1)
        likeness = torch.bmm(query.flatten(2), value.flatten(2).transpose(1, 2))
        return self.last(torch.bmm(likeness, value.flatten(2)).view(value.shape))


def test_channels_that_attend_to_channels_can_go() -> None:
    network, image = _AttentionOfChannels(), torch.rand(1, 3, 16, 16)
    assert {name: group.size for name, group in channel_map(network, 3).groups.items()} == {"first": 8}
    assert_exactly_narrowed(network, image)


@pytest.mark.parametrize("name", ["srresnet-lite", "feature-align", "carn-m"])
def test_a_narrowed_map_is_that_of_the_narrowed_network(name: str) -> None:
    """Narrowed twice, also to one unit, a network has the shapes of one narrowed at once."""
    arch = ZOO[name].architecture
    channels = architecture_channels(arch)
    first = {
        name: range(max(1, group.size // (8 if place % 2 else 2)))
        for place, (name, group) in enumerate(channels.groups.items())
    }
    left = channels.narrowed(first)
    assert {name: group.size for name, group in left.groups.items()} == {n: len(each) for n, each in first.items()}
    narrowed = narrow(build(arch), channels, first)
    if name != "feature-align":  # whose groups of one channel each are depthwise to a map made anew
        assert left.segments == channel_map(narrowed, arch.shape.in_channels).segments
    second = {name: range(max(1, group.size // 3)) for name, group in left.groups.items()}
    twice = narrow(narrowed, left, second)
    once = narrow(build(arch), channels, second)
    once.load_state_dict(twice.state_dict())
    with torch.no_grad():
        assert torch.equal(once.eval()(image_of(arch)), twice.eval()(image_of(arch)))


def test_what_is_not_understood_stays() -> None:
    channels = channel_map(_Odd(), 3)
    assert channels.unknown == {"roll"}
    assert {name: group.size for name, group in channels.groups.items()} == {"free": 12}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_any_precision(dtype: torch.dtype) -> None:
    network = build(ZOO["ecbsr-m4c8"].architecture).to(dtype)
    channels = channel_map(network, 1)
    assert channels.groups.keys() == channel_map(network.float(), 1).groups.keys()
    narrow(network.to(dtype), channels, drawn(channels, 0.5))
    assert {parameter.dtype for parameter in network.parameters()} == {dtype}


def test_channels_before_a_pixel_shuffle_go_by_the_pixel() -> None:
    network = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(8, 3, 1))
    channels = channel_map(network, 3)
    assert channels.groups["0"].size == 8
    narrow(network, channels, {"0": [0, 7]})
    assert network[0].weight.shape == (8, 3, 3, 3)
    assert network(torch.rand(1, 3, 4, 4)).shape == (1, 3, 8, 8)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("into", "out", "groups"), [(8, 12, 4), (8, 16, 8), (8, 8, 8), (8, 8, 1)])
def test_grouped_convolutions(into: int, out: int, groups: int, transposed: bool) -> None:
    make = nn.ConvTranspose2d if transposed else nn.Conv2d
    network = nn.Sequential(nn.Conv2d(3, into, 1), make(into, out, 3, padding=1, groups=groups), nn.Conv2d(out, 3, 1))
    channels = channel_map(network, 3)
    kept = drawn(channels, 0.5)
    silenced(network, channels, kept)
    image = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        expected = network(image)
        torch.testing.assert_close(narrow(network, channels, kept)(image), expected)
    assert network[0].out_channels < into


class _Joined(nn.Module):
    """Two convolutions, concatenated, activated and convolved channel by channel; then split, and one part taken."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Conv2d(3, 8, 1), nn.Conv2d(3, 4, 1)
        self.activation, self.each = nn.PReLU(12), nn.Conv2d(12, 12, 3, padding=1, groups=12)
        self.back, self.last = nn.Conv2d(12, 10, 1), nn.Conv2d(5, 12, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.each(self.activation(torch.cat((self.one(x), self.other(x)), 1)))
        left, right = self.back(y).chunk(2, 1)
        return nn.functional.pixel_shuffle(self.last(left * right), 2)


def test_an_axis_has_the_segments_of_what_is_joined_split_or_grouped() -> None:
    segments = channel_map(_Joined(), 3).segments
    assert segments["one.weight"] == ((8,), (3,), (1,), (1,))
    assert segments["activation.weight"] == ((8, 4),)
    assert segments["each.weight"] == ((8, 4), (1,), (3,), (3,))
    assert segments["each.bias"] == ((8, 4),)
    assert segments["back.weight"] == ((5, 5), (8, 4), (1,), (1,))
    assert segments["back.bias"] == ((5, 5),)
    assert segments["last.weight"] == ((12,), (5,), (1,), (1,))


def test_groups_are_segments_but_for_those_of_a_residual_stream() -> None:
    grouped = nn.Conv2d(8, 8, 3, padding=1, groups=4)
    segments = channel_map(nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), grouped, nn.Conv2d(8, 3, 1)), 3).segments
    for name in ("0.weight", "0.bias", "2.weight", "2.bias"):
        assert segments[name][0] == (2, 2, 2, 2)
    assert segments["3.weight"][1] == (2, 2, 2, 2)
    stream = nn.Sequential(nn.Conv2d(3, 8, 1), Residual(1, nn.Sequential(nn.Conv2d(8, 8, 1))), grouped)
    segments = channel_map(stream, 3).segments
    assert segments["0.weight"][0] == segments["1.body.0.weight"][0] == (8,)


def test_tied_weights_are_narrowed_together() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1))
    network[2].weight = network[1].weight
    network.append(nn.Conv2d(8, 3, 1))
    channels = channel_map(network, 3)
    kept = drawn(channels, 0.5)
    silenced(network, channels, kept)
    image = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        expected = network(image)
        torch.testing.assert_close(narrow(network, channels, kept)(image), expected)
    assert network[2].weight is network[1].weight
    assert network[2].weight.shape == (4, 4, 3, 3)


def test_gsat_keeps_what_its_groups_still_connect() -> None:
    part = Gsat(32, groups=8, norm=True).eval()
    image = torch.rand(1, 32, 6, 6)
    with torch.no_grad():
        same = part.narrowed(range(32))
        torch.testing.assert_close(same(image), part(image))
        smaller = part.narrowed(range(0, 32, 2))
    assert (smaller.groups, smaller.dilated.weight.shape) == (8, (16, 2, 3, 3))
    assert part.narrowed(range(7)).groups == 1
    dense = Gsat(6, groups=1, norm=False, bias=True).eval()
    kept = [0, 2, 5]
    with torch.no_grad():
        for layer in (dense.dilated, dense.pointwise):
            layer.weight[[1, 3, 4]] = 0
            layer.weight[:, [1, 3, 4]] = 0
        image = torch.rand(1, 6, 5, 5)
        torch.testing.assert_close(dense.narrowed(kept)(image[:, kept]), dense(image)[:, kept])


@pytest.mark.parametrize(
    ("widths", "words"),
    [((("stem", 17),), "1 to 16 channels can be kept, got 17"), ((("nothing", 4),), "got 'nothing'; known: stem")],
)
def test_widths_that_a_network_does_not_have(widths: tuple[tuple[str, int], ...], words: str) -> None:
    with pytest.raises(UserError, match=words):
        build(replace(ZOO["s-lwsr16"].architecture, widths=widths))


@pytest.mark.parametrize("widths", [{"stem": 0}, {"stem": 1.5}, ["stem"]])
def test_stored_widths_are_numbers(widths: object) -> None:
    with pytest.raises(UserError, match="widths must be positive numbers"):
        architecture_from_dict({**ZOO["s-lwsr16"].architecture.to_dict(), "widths": widths})
