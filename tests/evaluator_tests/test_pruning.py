"""Pruned networks: which channels go, what it saves, and that what is left is an ordinary network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch_pruning
from torch import nn

from evaluators.compression.pruning import IMPORTANCES, SCOPES, prune
from evaluators.compression.pruning.importance import importances
from evaluators.compression.pruning.staircase import widened
from evaluators.costs import architecture_costs
from latency_tables.tables.table import load_table
from space import TASKS, ZOO, SearchSpace, build
from space.architecture import Architecture, UpsamplerSpec
from space.channels import channel_map
from space.channels.multiplied import multiplied_groups
from space.channels.widths import architecture_channels
from space.errors import UserError
from space.layers.lightweight import Gsat
from space.layers.upsamplers import UPSAMPLERS
from space.search_space import BACKBONE, first
from space.specialists import networks_of
from tests.exported_networks import assert_exports
from tests.pruned_networks import assert_ordinary
from tests.small_networks import filled

SMALL, ESPCN = ZOO["ecbsr-m4c8"].architecture, ZOO["espcn"].architecture


def whole(arch: Architecture, seed: int = 0) -> nn.Module:
    """With weights so small that none of it overflows, as recursive networks of random weights may."""
    network = filled(build(arch, torch.Generator().manual_seed(seed)))
    image = torch.rand(1, arch.shape.in_channels, 32, 32)
    with torch.no_grad():
        while not all(one(image).isfinite().all() for one in networks_of(network)):
            for parameter in network.parameters():
                parameter.mul_(0.5)
    return network


def smallest(task: str) -> Architecture:
    """A plain network with the first value of each knob."""
    space = SearchSpace(TASKS[task], TASKS[task].shape(TASKS[task].default_scale))
    return space.decode(space.fill(first, {BACKBONE: "plain"}))


def loss_gradients(network: nn.Module) -> None:
    for one in networks_of(network):
        image = torch.rand(1, next(m for m in one.modules() if isinstance(m, nn.Conv2d)).in_channels, 16, 16)
        one(image).square().mean().backward()


@pytest.mark.parametrize("importance", IMPORTANCES)
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("name", ["ecbsr-m4c8", "espcn"])
def test_half_of_the_channels_go(name: str, scope: str, importance: str) -> None:
    arch = ZOO[name].architecture
    network = whole(arch)
    groups = channel_map(network, arch.shape.in_channels).groups
    units = sum(group.size for name, group in groups.items() if "branches" not in name)  # which are folded, and free
    pruned = prune(arch, network, 0.5, importance=importance, scope=scope, gradients=loss_gradients)
    assert_ordinary(pruned.architecture, pruned.network)
    (step,) = pruned.steps
    assert step.taken
    assert abs(step.units - units / 2) < 0.1 * units


@pytest.mark.parametrize("kind", UPSAMPLERS)
def test_every_upsampler_is_pruned(kind: str) -> None:
    arch = smallest("sr").with_ends(upsampler=UpsamplerSpec(kind, 16))
    pruned = prune(arch, whole(arch), 0.5, scope="uniform")
    assert_ordinary(pruned.architecture, pruned.network)
    groups = channel_map(build(arch), 3).groups
    own = {name for name in groups if name.startswith("upsampler.")}
    assert own or kind == "dense-one-step"  # which writes the image itself
    assert own <= dict(pruned.architecture.widths).keys()


def test_specialists_stay_alike() -> None:
    arch = smallest("raw-denoise")
    arch = replace(arch, shape=replace(arch.shape, specialists=2))
    pruned = prune(arch, whole(arch), 0.25)
    assert_ordinary(pruned.architecture, pruned.network)


def test_steps_are_fine_tuned_and_each_pays() -> None:
    seen: list[int] = []
    network = whole(SMALL)
    pruned = prune(
        SMALL, network, 0.6, steps=3, fine_tune=lambda n: seen.append(sum(p.numel() for p in n.parameters()))
    )
    assert [step.taken for step in pruned.steps] == [True] * 3
    assert seen == sorted(seen, reverse=True)
    costs = [pruned.steps[0].cost_before, *(step.cost_after for step in pruned.steps)]
    assert costs == sorted(costs, reverse=True)
    assert pruned.network is network


@pytest.mark.parametrize(
    ("name", "group"), [("srresnet-lite", "stem.0/2"), ("etds-m5c16", "features.1"), ("etds-m5c16", "colours.1")]
)
def test_what_is_folded_together_may_differ_in_width(name: str, group: str) -> None:
    arch = ZOO[name].architecture
    groups = channel_map(build(arch), arch.shape.in_channels).groups
    narrower = replace(arch, widths=((group, max(1, groups[group].size // 4)),))
    assert_ordinary(narrower, whole(narrower))


@pytest.mark.parametrize("name", ["feature-align", "carn-m"])
def test_groups_keep_their_names_when_some_have_one_unit_left(name: str) -> None:
    arch = ZOO[name].architecture
    pruned = prune(arch, whole(arch), 0.9, steps=2)
    assert [step.taken for step in pruned.steps] == [True] * 2
    assert 1 in dict(pruned.architecture.widths).values()
    assert_ordinary(pruned.architecture, pruned.network)


def test_a_step_within_a_stair_leaves_it_to_the_next() -> None:
    groups = channel_map(build(ESPCN), ESPCN.shape.in_channels).groups
    whole_widths = {name: group.size for name, group in groups.items()}

    def stairs(arch: Architecture) -> float:
        return sum(-(-count // 16) for count in (whole_widths | dict(arch.widths)).values())

    pruned = prune(ESPCN, whole(ESPCN), 0.5, steps=4, cost=stairs)
    assert [step.taken for step in pruned.steps] == [False, True, True, False]
    assert stairs(pruned.architecture) == 4
    assert all(count % 16 == 0 for _, count in pruned.architecture.widths)


FEW_LAYERS = {name: ZOO[name].architecture for name in ("ecbsr-m4c8", "etds-m5c16", "espcn", "fsrcnn")}


@pytest.mark.parametrize("arch", [*FEW_LAYERS.values(), smallest("denoise")], ids=[*FEW_LAYERS, "plain"])
def test_groups_that_are_sure_to_cost_do(arch: Architecture) -> None:
    sure, groups = multiplied_groups(arch), architecture_channels(arch).groups
    whole_macs = architecture_costs(arch, (32, 32)).macs
    assert sure or arch.backbone == "etds"
    for name in sure:
        assert architecture_costs(replace(arch, widths=((name, 1),)), (32, 32)).macs < whole_macs, name
    assert not any("branches" in name for name in sure)
    assert sure <= groups.keys()


def test_a_step_that_saves_nothing_is_not_taken() -> None:
    before = whole(SMALL).state_dict()
    pruned = prune(SMALL, whole(SMALL), 0.5, cost=lambda arch: 7.0)
    assert pruned.architecture == SMALL
    assert not pruned.steps[0].taken
    assert all(torch.equal(value, before[name]) for name, value in pruned.network.state_dict().items())


def test_milliseconds_of_a_table_fall() -> None:
    table = load_table("pixel4-a76")

    def ms(arch: Architecture) -> float:
        return architecture_costs(arch, (64, 48), [table]).latency[table.name].ms

    pruned = prune(SMALL, whole(SMALL), 0.5, cost=ms)
    assert ms(pruned.architecture) == pruned.steps[0].cost_after < pruned.steps[0].cost_before


def test_widths_go_to_the_next_stair() -> None:
    def cost(counts: dict[str, int]) -> float:
        return sum(-(-count // 4) for count in counts.values())

    assert widened({"a": 5, "b": 8, "c": 1}, {"a": 16, "b": 16, "c": 3}, cost) == {"a": 8, "b": 8, "c": 3}
    assert widened({"a": 5}, {"a": 16}, lambda counts: counts["a"]) == {"a": 5}


def test_a_wider_stair_that_costs_less_is_found() -> None:
    def cost(counts: dict[str, int]) -> float:  # of a part with 8 groups where they divide its width, else one
        return sum(count**2 / (8 if count % 8 == 0 and count > 8 else 1) for count in counts.values())

    counts, most = {"a": 27, "b": 17, "c": 40}, {"a": 64, "b": 64, "c": 64}
    assert widened(counts, most, cost, uneven=("a", "b", "c")) == {"a": 32, "b": 24, "c": 40}
    assert widened(counts, most, cost) == counts


@pytest.mark.parametrize("scope", SCOPES)
def test_a_gsat_keeps_its_groups(scope: str) -> None:
    arch = ZOO["glcic-lite"].architecture
    pruned = prune(arch, whole(arch), 0.25, scope=scope)
    assert pruned.steps[0].taken
    assert {module.groups for module in pruned.network.modules() if isinstance(module, Gsat)} == {8}


def test_unimportant_channels_go_first() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 3, 3))
    with torch.no_grad():
        network[0].weight[[2, 5]] *= 0.01
        network[2].weight[:, [2, 5]] *= 0.01
    (scores,) = importances(network, channel_map(network, 3), "magnitude").values()
    assert set(scores.topk(2, largest=False).indices.tolist()) == {2, 5}


class _Row(nn.Module):
    """What torch-pruning's own graph understands: a residual, shared weights, depthwise, groups, a concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.shared = nn.Conv2d(16, 16, 3, padding=1)
        self.expand, self.depthwise = nn.Conv2d(16, 32, 1), nn.Conv2d(32, 32, 3, padding=1, groups=32)
        self.project = nn.Conv2d(32, 16, 1)
        self.other = nn.Conv2d(16, 8, 1)
        self.fuse = nn.Conv2d(24, 16, 1)
        self.last = nn.Conv2d(16, 3, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.stem(image)
        for _ in range(2):
            x = x + self.shared(x).relu()
        x = x + self.project(self.depthwise(self.expand(x)).relu())
        return self.last(self.fuse(torch.cat((x, self.other(x)), 1)))


def test_groups_are_those_of_torch_pruning_where_it_understands_the_network() -> None:
    network = _Row()
    image = torch.rand(1, 3, 8, 8)
    graph = torch_pruning.DependencyGraph().build_dependency(network, image)
    theirs = set()
    for group in graph.get_all_groups(ignored_layers=[network.last], root_module_types=[nn.Conv2d]):
        theirs.add(
            frozenset(
                (dep.target.name.split(" ")[0], "out" if graph.is_out_channel_pruning_fn(dep.handler) else "in")
                for dep, _ in group
                if isinstance(dep.target.module, nn.Conv2d) and dep.target.module is not network.depthwise
            )
        )
    channels = channel_map(network, 3)
    ours = set()
    for group in channels.groups.values():
        ours.add(
            frozenset(
                (name.removesuffix(".weight"), "out" if axis == 0 else "in")
                for name, axes in channels.axes.items()
                if name.endswith(".weight") and not name.startswith("depthwise")
                for axis, units in enumerate(axes)
                if units is not None and np.isin(units, group.units).any()
            )
        )
    assert ours == theirs


def test_torch_pruning_alone_does_not_see_through_a_pixel_shuffle() -> None:
    """If this fails, it does now, and our own graph may be one too many."""
    network = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(8, 3, 3, padding=1))
    image = torch.rand(1, 3, 8, 8)

    def pruned() -> torch.Tensor:
        torch_pruning.pruner.BasePruner(
            network,
            image,
            importance=torch_pruning.importance.GroupMagnitudeImportance(),
            pruning_ratio=0.5,
            ignored_layers=[network[2]],
        ).step()
        return network(image)

    with pytest.raises((IndexError, RuntimeError)):
        pruned()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ratio": 0.0}, "must be above 0 and at most 0.95, got 0"),
        ({"ratio": 0.96}, "must be above 0 and at most 0.95, got 0.96"),
        ({"ratio": float("nan")}, "got nan"),
        ({"ratio": 1e-4}, "must remove a channel, got 0.0001 where"),
        ({"ratio": 1e-4, "scope": "uniform"}, "must remove a channel, got 0.0001 where the widest group has"),
        ({"importance": "luck"}, "importance must be one of magnitude, taylor, fpgm, got 'luck'"),
        ({"scope": "none"}, "scope must be one of global, uniform, got 'none'"),
        ({"importance": "taylor"}, "taylor needs gradients"),
    ],
)
def test_values_out_of_range(options: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        prune(SMALL, whole(SMALL), **({"ratio": 0.5} | options))


def test_a_network_is_pruned_once() -> None:
    pruned = prune(SMALL, whole(SMALL), 0.5)
    with pytest.raises(UserError, match="pruned already"):
        prune(pruned.architecture, pruned.network, 0.5)


def _random(task: str, seed: int) -> Architecture:
    scales = tuple(TASKS[task].input_sizes)
    space = SearchSpace(TASKS[task], TASKS[task].shape(scales[seed % len(scales)]))
    return space.decode(space.random(np.random.default_rng((seed, *map(ord, task)))))


HANG_S = 1800  # of a long test: one that stands still, on however slow a machine
CASES = [(name, entry.architecture) for name, entry in ZOO.items()]
CASES += [(f"{task}-{seed}", _random(task, seed)) for task in TASKS for seed in range(40)]


@pytest.mark.long
@pytest.mark.timeout(HANG_S)
@pytest.mark.parametrize("ratio", [0.25, 0.5])
@pytest.mark.parametrize(("name", "arch"), CASES, ids=[name for name, _ in CASES])
def test_every_network_can_be_pruned_trained_stored_and_exported(name: str, arch: Architecture, ratio: float) -> None:
    pruned = prune(arch, whole(arch), ratio)
    assert_ordinary(pruned.architecture, pruned.network)
    assert_exports(pruned.architecture, networks_of(pruned.network)[0].eval(), "onnx")


SAMPLE = [(f"{task}-{seed}", _random(task, seed)) for task in TASKS for seed in range(4)]


@pytest.mark.long
@pytest.mark.timeout(HANG_S)
@pytest.mark.parametrize(("name", "arch"), SAMPLE, ids=[name for name, _ in SAMPLE])
def test_pruned_networks_run_in_litert(name: str, arch: Architecture) -> None:
    pruned = prune(arch, whole(arch), 0.5)
    assert_exports(pruned.architecture, networks_of(pruned.network)[0].eval(), "litert")


@pytest.mark.long
@pytest.mark.timeout(HANG_S)
@pytest.mark.parametrize("name", ZOO)
def test_every_published_network_is_pruned_in_steps(name: str) -> None:
    arch = ZOO[name].architecture
    pruned = prune(arch, whole(arch), 0.9, steps=3)
    assert_ordinary(pruned.architecture, pruned.network)
