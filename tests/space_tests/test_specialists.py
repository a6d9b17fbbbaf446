"""Specialists: offered where the noise has a range, stored k times, run once."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from evaluators.costs import architecture_costs, network_costs
from latency_tables.lowering.fusion import architecture_operators, network_operators
from latency_tables.tables.table import load_table
from space import TASKS, UserError, architecture, architecture_from_dict, build
from space.architecture import Architecture, IOShape
from space.backbones import BACKBONES
from space.specialists import Specialists, network_at, networks_of
from tests.random_networks import random_architecture, random_knobs

RANGE = IOShape(3, 3, 1, specialists=4)
SIZE = (40, 24)


def shared_by(count: int, name: str = "plain", seed: int = 0) -> Architecture:
    knobs = random_knobs(RANGE, name, np.random.default_rng(seed))
    return architecture(RANGE, name, {**knobs, "specialists": count})


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_the_knob_is_offered_for_a_range_only_and_up_to_the_most(name: str) -> None:
    offered = {most: BACKBONES[name].knobs_for(replace(RANGE, specialists=most)) for most in (1, 2, 4)}
    assert "specialists" not in {knob.name for knob in offered[1]}
    assert [offered[most][0].values for most in (2, 4)] == [(1, 2), (1, 2, 3, 4)]


@pytest.mark.parametrize("name", TASKS["denoise"].backbones)
def test_all_are_stored_and_one_runs(name: str) -> None:
    generator, (table,) = np.random.default_rng(3), [load_table("pixel4-a76")]
    for shape in (RANGE, IOShape(5, 4, 1, specialists=3)):
        arch = random_architecture(shape, (name,), generator)
        one = replace(arch, shape=replace(shape, specialists=1))
        count, network = arch.shape.specialists, build(arch)
        costs, alone = architecture_costs(arch, SIZE), architecture_costs(one, SIZE)
        assert costs == network_costs(network, SIZE, shape.in_channels)
        assert (costs.params, costs.weight_bytes) == (count * alone.params, count * alone.weight_bytes)
        assert (costs.macs, costs.peak_activation_bytes) == (alone.macs, alone.peak_activation_bytes)
        assert architecture_costs(arch, SIZE, [table]).latency == architecture_costs(one, SIZE, [table]).latency
        traced = network_operators(network, shape.in_channels, SIZE)
        assert [op.kind for op in traced] == [op.kind for op in architecture_operators(arch, SIZE)]
        assert len(networks_of(network)) == count


def test_one_network_for_all_levels_is_the_architecture_that_it_was() -> None:
    arch = shared_by(1)
    assert "specialists" not in arch.to_dict()["shape"]
    knobs = random_knobs(RANGE, "plain", np.random.default_rng(0))
    plain = architecture(IOShape(3, 3), "plain", {k: v for k, v in knobs.items() if k != "specialists"})
    assert (plain, plain.key) == (arch, arch.key)
    assert isinstance(build(arch), type(build(plain)))


def test_keys_tell_their_number_and_json_keeps_it() -> None:
    found = [shared_by(count) for count in (1, 2, 3, 4)]
    assert len({arch.key for arch in found}) == 4
    for arch in found:
        assert architecture_from_dict(json.loads(json.dumps(arch.to_dict()))) == arch


def test_the_level_chooses_one_of_them() -> None:
    network = build(shared_by(3), torch.Generator().manual_seed(0)).eval()
    assert isinstance(network, Specialists)
    chosen = [network_at(network, level) for level in (0.0, 0.33, 0.34, 0.66, 0.67, 1.0)]
    assert [networks_of(network).index(each) for each in chosen] == [0, 0, 1, 1, 2, 2]
    image = torch.rand(1, 3, 8, 9)
    for each in networks_of(network):  # away from the zero start, where all give back their input
        torch.nn.init.normal_(each.upsampler.last.weight)
    outputs = [network(image, level) for level in (0.1, 0.5, 0.9)]
    assert torch.equal(outputs[1], networks_of(network)[1](image))
    assert not torch.equal(outputs[0], outputs[1])
    assert not torch.equal(outputs[1], outputs[2])
    plain = build(shared_by(1))
    assert network_at(plain, math.nan) is plain


@pytest.mark.parametrize("level", [math.nan, -0.1, 1.1])
def test_an_unknown_level_is_refused(level: float) -> None:
    with pytest.raises(UserError, match="must be told the noise level, from 0 to 1 of their range, got"):
        network_at(build(shared_by(2)), level)


def test_all_of_them_are_saved_and_loaded() -> None:
    arch = shared_by(2)
    network, again = (build(arch, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert len(network.state_dict()) == 2 * len(networks_of(network)[0].state_dict())
    again.load_state_dict(network.state_dict())
    image = torch.rand(1, 3, 8, 9)
    assert all(torch.equal(again.eval()(image, level), network.eval()(image, level)) for level in (0.2, 0.8))
