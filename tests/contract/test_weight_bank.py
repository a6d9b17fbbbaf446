"""What a weight bank gives every network of every space: weights of its shapes, gradients of its own, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from search.experiments.network_specs import named_architecture
from space import TASKS, ZOO, SearchSpace, build
from space.architecture import Architecture
from space.backbones import BACKBONES
from space.errors import UserError
from space.knobs import SPECIALISTS, Value
from space.search_space import BACKBONE, Parameter, Values, first
from space.specialists import networks_of
from space.weight_bank import WeightBank

TASK_OF = {name: next(task for task in TASKS.values() if name in task.backbones) for name in BACKBONES}
# Where a channel's value depends on how many others there are, or where they stand: a mean or a softmax over channels,
# and layers in groups or halves that add to a residual stream, whose own channels are not in groups.
CONNECTED = {"attention": ("spatial", "both"), "upsampler": ("grouped",), "block": ("gsat",), "convolution": ("list",)}
CONNECTED |= {"ar_convolution": ("gsat", "list"), "resample": ("bilinear-list",)}
CONNECTED |= {f"{prefix}gated_attention": ("channels",) for prefix in ("", "after_")}
CONNECTED |= {f"{prefix}gated_norm": ("layer",) for prefix in ("", "after_")}
NARROW = 16  # channels; of 8, eight groups are depthwise, which is another kind of convolution
# The trunk with the fewest layers has the most knobs, and all blocks: a third of its designs, evenly through all knobs.
# All designs of all trunks are marked long.
EACH = pytest.mark.parametrize(
    ("backbone", "every"), [("plain", 3), *(pytest.param(name, 1, marks=pytest.mark.long) for name in BACKBONES)]
)


def space_of(backbone: str) -> SearchSpace:
    task = TASK_OF[backbone]
    return SearchSpace(task, task.shape(task.default_scale))


def turned(backbone: str, **given: Value) -> Iterator[Values]:
    """Points of the space that show each value of each knob once, beside ``given`` and the first values of others."""
    space = space_of(backbone)
    start = space.fill(first, {BACKBONE: backbone, **given})
    yield start
    for turned, values in space.neighbours(start, lambda parameter, _: others(parameter)):
        if turned.key not in given:
            yield values
            for _, further in space.neighbours(values, lambda parameter, _: others(parameter)):
                if len(further) > len(values):  # with a knob that only applies beside this value
                    yield further


def others(parameter: Parameter) -> tuple[int | float | str, ...]:
    if isinstance(parameter.values[0], str):
        return parameter.values[1:]
    return parameter.values[-1:]


@lru_cache(maxsize=1)
def designs(backbone: str, every: int) -> tuple[Architecture, ...]:
    space = space_of(backbone)
    return tuple(dict.fromkeys(space.decode(values) for values in turned(backbone)))[::every]


@lru_cache(maxsize=1)
def bank_of_designs(backbone: str, every: int) -> WeightBank:
    """Its weights stay as they are; gradients are what the last test left."""
    return bank_of(designs(backbone, every))


def image_of(arch: Architecture) -> Tensor:
    return torch.rand(1, arch.shape.in_channels, 16, 16, generator=torch.Generator().manual_seed(3)).double()


def bank_of(archs: Sequence[Architecture]) -> WeightBank:
    """A bank of which no place is zero."""
    bank, generator = WeightBank(), torch.Generator().manual_seed(0)
    for arch in archs:
        bank.cover(arch, generator)
    with torch.no_grad():
        for tensor in bank.tensors.values():
            tensor.uniform_(-0.1, 0.1, generator=generator)
    return bank


def own_weights(network: nn.Module) -> dict[str, nn.Parameter]:
    return {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}


@EACH
def test_every_network_runs_on_slices_of_its_own_shapes(backbone: str, every: int) -> None:
    archs, bank = designs(backbone, every), bank_of_designs(backbone, every)
    for arch in archs:
        network = bank.network(arch).double()
        weights = {name: own.double() for name, own in bank.weights(arch).items()}
        assert {name: own.shape for name, own in own_weights(build(arch)).items()} == {
            name: own.shape for name, own in weights.items()
        }
        for own in weights.values():
            own.retain_grad()
        image = image_of(arch)
        shared = functional_call(network, weights, (image,))
        alone = network(image)
        torch.testing.assert_close(shared, alone)
        shared.square().mean().backward()
        alone.square().mean().backward()
        for name, own in own_weights(network).items():
            torch.testing.assert_close(_gradient(weights[name]), _gradient(own))


@EACH
def test_gradients_reach_each_place_of_the_slices_once_and_no_other(backbone: str, every: int) -> None:
    archs, bank = designs(backbone, every), bank_of_designs(backbone, every)
    for arch in archs:
        for tensor in bank.tensors.values():
            tensor.grad = None
        weights = bank.weights(arch)
        torch.stack([own.sum() for own in weights.values()]).sum().backward()
        reached = torch.cat([tensor.grad.flatten() for tensor in bank.tensors.values() if tensor.grad is not None])
        assert set(reached.unique().tolist()) <= {0.0, 1.0}, "two weights in one place"
        assert int(reached.sum()) == sum(own.numel() for own in weights.values())


@EACH
def test_a_narrow_network_is_the_wide_one_without_the_channels_that_it_lacks(backbone: str, every: int) -> None:
    """With zeros everywhere else in the bank the wide network computes what the narrow one does."""
    space = space_of(backbone)
    pairs: dict[tuple[Architecture, ...], None] = {}
    for values in turned(backbone, width=NARROW):
        if any(values.get(knob) in connected for knob, connected in CONNECTED.items()):
            continue
        wide = space.turned(values, "width", 2 * NARROW)
        pairs[tuple(space.decode(each) for each in (values, wide))] = None
    for pair in list(pairs)[::every]:
        bank = bank_of(pair[::-1])
        torch.stack([own.sum() for own in bank.weights(pair[0]).values()]).sum().backward()
        with torch.no_grad():
            for tensor in bank.tensors.values():
                tensor.mul_(0 if tensor.grad is None else tensor.grad)
        image = image_of(pair[0])
        with torch.no_grad():
            narrow, same = (bank.network(arch).double()(image) for arch in pair)
        torch.testing.assert_close(same, narrow, msg=lambda text, arch=pair[0]: f"{arch}: {text}")


def test_what_a_bank_does_not_cover() -> None:
    space = space_of("plain")
    small, large = (space.decode(space.fill(at, {BACKBONE: "plain"})) for at in (first, lambda each: each.values[-1]))
    bank = bank_of([small])
    assert bank.covers(small)
    assert not bank.covers(large)
    with pytest.raises(UserError, match="the weight bank must cover a network that runs on it, got plain"):
        bank.weights(large)


def test_a_bank_that_grows_keeps_what_it_has() -> None:
    small, large = (named_architecture(f"s-lwsr16:width={width}", 4) for width in (8, 16))
    bank = bank_of([small])
    before = {name: own.detach().clone() for name, own in bank.weights(small).items()}
    bank.cover(large, torch.Generator().manual_seed(1))
    assert bank.covers(large)
    after = bank.weights(small)
    assert all(torch.equal(own, after[name]) for name, own in before.items())


def test_places_start_as_in_the_first_network_that_has_them() -> None:
    arch = named_architecture("s-lwsr16+skip", 4)
    bank = WeightBank()
    bank.cover(arch, torch.Generator().manual_seed(5))
    alone = build(arch, torch.Generator().manual_seed(5))
    assert all(torch.equal(own, bank.weights(arch)[name]) for name, own in own_weights(alone).items())


def test_networks_of_one_seed_make_the_same_bank() -> None:
    archs = designs("plain", 3)[:4]
    one, other = (bank_of(archs) for _ in range(2))
    assert all(torch.equal(one.tensors[key], other.tensors[key]) for key in one.tensors)


@pytest.mark.parametrize(
    ("name", "words"),
    [("espcn", "no network of a search space"), ("mallenet-port-16-pool2", "batch norm"), ("pruned", "that is pruned")],
)
def test_what_cannot_share_weights(name: str, words: str) -> None:
    arch = ZOO["s-lwsr16" if name == "pruned" else name].architecture
    if name == "pruned":
        arch = replace(arch, widths=(("stem", 8),))
    with pytest.raises(UserError, match=words):
        WeightBank().cover(arch, torch.Generator())


def test_specialists_have_weights_of_their_own() -> None:
    space = SearchSpace(TASKS["denoise"], replace(TASKS["denoise"].shape(1), specialists=4))
    arch = space.decode(space.fill(first, {SPECIALISTS.name: 2}))
    bank = bank_of([arch])
    weights, network = bank.weights(arch), bank.network(arch)
    assert set(weights) == set(own_weights(network))
    assert sum(own.numel() for own in weights.values()) == sum(own.numel() for own in bank.tensors.values())
    low, high = networks_of(network)
    assert not torch.equal(low.get_parameter("stem.weight"), high.get_parameter("stem.weight"))


def _gradient(weight: Tensor) -> Tensor:
    """Zeros where nothing came, as at a layer whose output is not used."""
    return torch.zeros_like(weight) if weight.grad is None else weight.grad
