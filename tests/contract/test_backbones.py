"""What holds of every backbone: knobs and architectures tell each other, and its trunk keeps what the ends promise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from space import TASKS, ZOO, architecture, build
from space.architecture import IOShape
from space.backbones import BACKBONES
from space.backbones.restoration_net import RestorationNet
from space.layers.attention import ATTENTIONS
from space.layers.protocols import ResidualEnd
from tests.pruned_networks import assert_exact, halved
from tests.random_networks import random_architecture, random_knobs

SHAPES = {
    "x4": TASKS["sr"].shape(4),
    "x3 of luma": TASKS["sr"].shape(3, "y"),
    "same size": IOShape(3, 3),
    "noise map": IOShape(5, 4),
    "masked": TASKS["inpaint"].shape(1),
    "specialists": IOShape(3, 3, specialists=4),
}


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("name", BACKBONES)
def test_an_architecture_tells_the_knobs_that_give_it(name: str, kind: str) -> None:
    generator, shape = np.random.default_rng(0), SHAPES[kind]
    for _ in range(200):
        arch = random_architecture(shape, (name,), generator)
        values = BACKBONES[name].values_of(arch)
        assert values is not None, arch
        assert architecture(shape, name, values) == arch


@pytest.mark.parametrize("name", BACKBONES)
def test_what_lies_off_the_grid_has_no_knobs(name: str) -> None:
    backbone, shape = BACKBONES[name], SHAPES["same size"]
    arch = random_architecture(shape, (name,), np.random.default_rng(1))
    others = [
        replace(arch, settings=replace(arch.settings, width=arch.settings.width + 1)),
        replace(arch, ends=replace(arch.ends, mean_shift=True)),
        replace(arch, ends=replace(arch.ends, input_skip="bicubic")),
        replace(arch, ends=None),
        ZOO["fsrcnn"].architecture,
        halved(arch),
    ]
    assert [backbone.values_of(other) for other in others] == [None] * len(others)


@pytest.mark.parametrize("kind", ["x4", "same size"])
@pytest.mark.parametrize("name", BACKBONES)
def test_its_channels_can_go(name: str, kind: str) -> None:
    generator = np.random.default_rng(2)
    for _ in range(2):
        assert_exact(random_architecture(SHAPES[kind], (name,), generator))


@pytest.mark.parametrize("name", BACKBONES)
def test_its_knobs_are_named_once_and_conditions_name_earlier_ones(name: str) -> None:
    for shape in SHAPES.values():
        seen: dict[str, set[object]] = {}
        for knob in BACKBONES[name].knobs_for(shape):
            assert knob.name not in seen
            for condition, values in knob.when.items():
                assert set(values) & seen[condition], knob
            seen[knob.name] = set(knob.values)


@pytest.mark.parametrize("name", BACKBONES)
def test_every_place_of_its_trunk_is_one_that_it_passes(name: str) -> None:
    generator, shape = np.random.default_rng(2), SHAPES["same size"]
    placements = next(knob.values for knob in BACKBONES[name].knobs if knob.name == "malle")
    for placement in placements:
        for attention in ATTENTIONS:
            knobs = random_knobs(shape, name, generator)
            knobs |= {"malle": placement, "malle_kernel": 1, "malle_pool": 1, "malle_stages": 2, "width": 16}
            knobs |= {"malle_growth": "constant", "attention": attention, "input_skip": "none", "recursion": 1}
            backbone = BACKBONES[name]
            applying: dict[str, object] = {}
            for knob in backbone.knobs_for(shape):
                if knob.applies(applying):
                    applying[knob.name] = knobs[knob.name]
            network = build(architecture(shape, name, applying), torch.Generator().manual_seed(0))
            assert isinstance(network, RestorationNet)
            network(torch.rand(1, 3, 9, 8)).square().mean().backward()
            inserted = [
                parameter for name, parameter in network.named_parameters() if name.startswith(("malle.", "attention."))
            ]
            assert bool(inserted) == (placement != "none" or attention != "none")
            assert all(parameter.grad is not None for parameter in inserted)


@pytest.mark.parametrize("kind", ["x4", "noise map", "masked"])
@pytest.mark.parametrize("name", BACKBONES)
def test_it_starts_as_its_input_where_it_adds_it(name: str, kind: str) -> None:
    generator, shape = np.random.default_rng(3), SHAPES[kind]
    for _ in range(6):
        arch = random_architecture(shape, (name,), generator)
        network = build(arch, torch.Generator().manual_seed(0)).eval()
        assert isinstance(network, ResidualEnd)
        assert (network.residual_end is None) == arch.lacks_input_skip
        if not arch.lacks_input_skip:
            image = torch.rand(1, shape.in_channels, 9, 7)
            with torch.no_grad():
                assert torch.allclose(network(image), network.skip(image), atol=1e-6)
