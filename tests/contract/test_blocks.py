"""What holds of every block: a stored value, knobs that give it, a module that every trunk can hold."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest
import torch

from space import BLOCKS, TASKS, architecture, architecture_from_dict, build
from space.architecture import Architecture, IOShape
from space.backbones import BACKBONES
from space.blocks.block import BlockSpec
from space.build import initialise
from space.count import all_choices
from space.deploy import deploy_form
from space.layers.computed_conv import IdentityConv
from space.layers.protocols import Foldable
from space.operators import screen, trace
from tests.pruned_networks import assert_exactly_narrowed
from tests.random_networks import random_knobs

WIDTHS = (4, 8, 12, 20, 64)
OF_BLOCK = [(kind, width) for kind in BLOCKS for width in WIDTHS]
SAME_SIZE = IOShape(3, 3, 1)
# Backbones hold any block alike: in all of them the first kinds, others in the trunk with the fewest layers.
EVERYWHERE = ("residual", "preactivated", "inverted", "gsat", "ar", "inverted-prelu")
IN_BACKBONE = pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name) if name == "plain" or kind in EVERYWHERE else pytest.param(kind, name, marks=pytest.mark.long)
        for kind in BLOCKS
        for name in BACKBONES
    ],
)


def specs(kind: str, width: int) -> list[BlockSpec]:
    """The block with every choice of its own knobs, with and without its activation, unless that is another kind's."""
    activated = [BLOCKS[kind].from_knobs(width, knobs) for knobs in all_choices(BLOCKS[kind].KNOBS)]
    return [*activated, *(spec for spec in (each.linear() for each in activated) if spec.kind == kind)]


def drawn(module: torch.nn.Module) -> torch.nn.Module:
    initialise(module, torch.Generator().manual_seed(0))
    return module


def operators(block: torch.nn.Module, width: int) -> int:
    return len(trace(block, (1, width, 7, 6)).operators)


def in_backbone(kind: str, name: str) -> Architecture:
    generator = np.random.default_rng(4)
    while True:
        knobs = random_knobs(SAME_SIZE, name, generator)
        if knobs["block"] == kind and knobs.get("recursion", 1) == 1:
            return architecture(SAME_SIZE, name, knobs | {"input_skip": "none", "width": 16})


@pytest.mark.parametrize("kind", BLOCKS)
def test_it_says_what_it_is_and_where_it_comes_from(kind: str) -> None:
    spec = BLOCKS[kind]
    assert spec.kind == kind
    assert spec.meaning
    assert spec.source
    assert all(knob.meaning and knob.source for knob in spec.KNOBS)


@pytest.mark.parametrize(("kind", "width"), OF_BLOCK)
def test_knobs_give_a_block_that_tells_them_again(kind: str, width: int) -> None:
    choices = list(all_choices(BLOCKS[kind].KNOBS))
    made = [BLOCKS[kind].from_knobs(width, knobs) for knobs in choices]
    assert [spec.knob_values() for spec in made] == choices
    assert len(set(made)) == len(choices)
    assert all(spec.width == width and spec.at_width(2 * width).at_width(width) == spec for spec in made)


@pytest.mark.parametrize(("kind", "width"), OF_BLOCK)
def test_it_keeps_the_shape_and_every_weight_learns(kind: str, width: int) -> None:
    x = torch.rand(2, width, 7, 6, generator=torch.Generator().manual_seed(1))
    for spec in specs(kind, width):
        module = drawn(spec.residual(0.5))
        output = module(x)
        assert output.shape == x.shape
        output.square().mean().backward()
        assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in module.parameters()), spec
        again = drawn(spec.residual(0.5))
        again.load_state_dict(module.state_dict())
        assert torch.equal(again.eval()(x), module.eval()(x))


@pytest.mark.parametrize(("kind", "width"), OF_BLOCK)
def test_it_changes_the_width(kind: str, width: int) -> None:
    x = torch.rand(1, width, 7, 6)
    for spec in specs(kind, width):
        for out_width in (2 * width, width):
            assert drawn(spec.changing(out_width))(x).shape == (1, out_width, 7, 6)


@pytest.mark.parametrize(("kind", "width"), OF_BLOCK)
def test_what_it_adds_is_scaled_and_folding_leaves_no_multiplication(kind: str, width: int) -> None:
    """But where ``keeps_scale`` says so: then it leaves that one."""
    x = torch.rand(1, width, 7, 6)
    for spec in specs(kind, width):
        scaled, plain = drawn(spec.residual(0.1)), drawn(spec.residual())
        with torch.no_grad():
            before = scaled(x)
        assert any(isinstance(module, Foldable) for module in scaled.modules())
        folded = deploy_form(copy.deepcopy(scaled))
        with torch.no_grad():
            assert torch.allclose(folded(x), before, atol=1e-6)
            assert not torch.allclose(plain(x), before, atol=1e-6)
            assert torch.equal(deploy_form(folded)(x), folded(x))
        left = operators(folded, width)
        saved = operators(scaled, width) - left
        assert left == operators(deploy_form(plain), width) + spec.keeps_scale
        if any(isinstance(module, IdentityConv) for module in scaled.modules()):
            assert saved == 0  # input and scale are in its weights from the start
        else:
            assert saved == (not spec.keeps_scale)


@IN_BACKBONE
def test_every_backbone_offers_it(kind: str, name: str) -> None:
    arch = in_backbone(kind, name)
    assert architecture_from_dict(json.loads(json.dumps(arch.to_dict()))) == arch
    network = build(arch, torch.Generator().manual_seed(0))
    image = torch.rand(1, 3, 9, 8, generator=torch.Generator().manual_seed(1))
    network(image).square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters() if p.requires_grad)


@IN_BACKBONE
def test_what_is_screened_is_what_a_full_trace_counts(kind: str, name: str) -> None:
    arch = in_backbone(kind, name)
    screened = screen(arch, 24, 18)
    with torch.device("meta"):
        network = deploy_form(build(arch))
    traced = trace(network, (1, 3, 18, 24))
    assert screened.params == sum(parameter.numel() for parameter in network.parameters())
    assert (screened.macs, screened.peak_elements) == (traced.macs, traced.peak_elements())


def test_every_task_has_a_backbone_for_every_block() -> None:
    for task in TASKS.values():
        for name in task.backbones:
            (knob,) = (each for each in BACKBONES[name].knobs if each.name == "block")
            assert set(knob.values) == set(BLOCKS)


@pytest.mark.parametrize("kind", BLOCKS)
def test_its_channels_can_go(kind: str) -> None:
    for spec in specs(kind, 16):
        block = spec.residual(0.5)
        network = torch.nn.Sequential(torch.nn.Conv2d(3, 16, 3, padding=1), block, torch.nn.Conv2d(16, 3, 3, padding=1))
        assert_exactly_narrowed(drawn(network), torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1)))
