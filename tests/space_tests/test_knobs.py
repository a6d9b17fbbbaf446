"""Every knob of every backbone changes the network, and every random choice of knobs is a working network."""

import json

import numpy as np
import pytest
import torch

from space import TASKS, UserError, architecture, architecture_from_dict, build
from space.architecture import Architecture, IOShape
from space.backbones import BACKBONES
from space.knobs import Knob, complete
from space.operators import screen
from tests.random_networks import random_architecture, random_knobs, space_of

ENLARGING, SAME_SIZE, WITH_MAP = TASKS["sr"].shape(4), IOShape(3, 3, 1), IOShape(5, 4, 1)
SHAPES = {"sr": ENLARGING, "same-size": SAME_SIZE, "masked": TASKS["inpaint"].shape(1)}
KNOBS = [
    (kind, name, knob.name)
    for kind, shape in SHAPES.items()
    for name, backbone in BACKBONES.items()
    for knob in backbone.knobs_for(shape)
    if kind != "masked" or knob.masked  # the others are those of the same size
]
# Degenerate neighbours, such as one bunch of one block, may coincide; a deep activated trunk shows them all.
# Of many passes the values would overflow.
DEEP = {"blocks_per_stage": 3, "blocks": 8, "activation_kept": "all", "width": 16, "recursion": 1}


def turned(
    shape: IOShape, name: str, knobs: dict, knob_name: str, value: object, generator: np.random.Generator
) -> Architecture:
    """The architecture with one knob turned; knobs that come to apply by that are drawn."""
    space = space_of(shape, name)
    return space.decode(space.random(generator, {"backbone": name, **knobs, knob_name: value}))


def counts(arch: Architecture) -> tuple:
    """What the network stores and runs."""
    screened = screen(arch, 32, 18)
    return screened.params, screened.macs, tuple(op.kind for op in screened.operators)


def output(arch: Architecture) -> bytes:
    """With given weights and input."""
    network = build(arch)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                # Small, or the values of many passes drown the input skip.
                scale = 0.5 / max(1, parameter[0].numel()) ** 0.5
                parameter.copy_(scale * torch.randn(parameter.shape, generator=generator))
        image = torch.rand(1, arch.shape.in_channels, 9, 10, generator=torch.Generator().manual_seed(1))
        return network(image).numpy().tobytes()


@pytest.mark.parametrize(("kind", "name", "knob_name"), KNOBS)
def test_every_value_of_every_knob_changes_the_network(kind: str, name: str, knob_name: str) -> None:
    generator, shape = np.random.default_rng(7), SHAPES[kind]
    offered = {knob.name: knob for knob in BACKBONES[name].knobs_for(shape)}
    knob = offered[knob_name]
    for _ in range(300):  # a knob may need a rare value of another
        knobs = random_knobs(shape, name, generator)
        knobs |= {key: value for key, value in DEEP.items() if key in offered and value in offered[key].values}
        if knob_name in knobs and knob.applies(knobs):
            break
    else:
        pytest.fail(f"{knob_name} never applies")
    architectures = [turned(shape, name, knobs, knob_name, value, np.random.default_rng(0)) for value in knob.values]
    assert len({arch.key for arch in architectures}) == len(knob.values)
    alike: dict[tuple, list[Architecture]] = {}
    for arch in architectures:
        alike.setdefault(counts(arch), []).append(arch)
    for archs in alike.values():  # what they compute is asked where that does not tell them apart
        assert len(archs) == 1 or len({output(arch) for arch in archs}) == len(archs)


@pytest.mark.parametrize("kind", sorted(SHAPES))
@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_a_knob_is_not_asked_for_where_it_does_nothing(name: str, kind: str) -> None:
    generator = np.random.default_rng(11)
    for _ in range(200):
        knobs = random_knobs(SHAPES[kind], name, generator)
        if "inverted_ratio" in knobs:
            assert ("inverted_expansion" in knobs) == ("inverted_at" in knobs) == (knobs["inverted_ratio"] > 0)
            assert knobs["block"] != "inverted"
        assert ("expansion" in knobs) == (knobs["block"] == "inverted")
        assert ("dilation" in knobs) == (knobs["block"] == "gsat")


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_where_the_size_stays_there_is_no_resizing_to_choose(name: str) -> None:
    offered = {knob.name: knob.values for knob in BACKBONES[name].knobs_for(SAME_SIZE)}
    assert "upsampler" not in offered
    assert offered.get("input_skip", ("none", "identity")) == ("none", "identity")
    offered = {knob.name: knob.values for knob in BACKBONES[name].knobs_for(ENLARGING)}
    assert "identity" not in offered.get("input_skip", ())


@pytest.mark.parametrize("drawn", [2, pytest.param(12, marks=pytest.mark.long)])
@pytest.mark.parametrize("name", sorted(BACKBONES))
@pytest.mark.parametrize(
    "shape", [TASKS["sr"].shape(2), TASKS["sr"].shape(3), TASKS["sr"].shape(4), SAME_SIZE, WITH_MAP, IOShape(1, 1, 1)]
)
def test_random_architectures_build_train_and_survive_json(shape: IOShape, name: str, drawn: int) -> None:
    generator = np.random.default_rng((shape.scale, shape.in_channels, drawn))
    for _ in range(drawn):
        arch = random_architecture(shape, (name,), generator)
        assert architecture_from_dict(json.loads(json.dumps(arch.to_dict()))) == arch
        network = build(arch, torch.Generator().manual_seed(0))
        with torch.no_grad():  # away from the zero start, at which gradients of inner layers vanish
            for parameter in network.residual_end.parameters() if network.residual_end is not None else ():
                parameter.add_(0.01)
        image = torch.rand(2, shape.in_channels, 9, 8)
        output = network(image)
        assert output.shape == (2, shape.out_channels, 9 * shape.scale, 8 * shape.scale)
        assert torch.isfinite(output).all()
        output.square().mean().backward()
        assert all(p.grad is not None for p in network.parameters() if p.requires_grad)
        again = build(arch)
        again.load_state_dict(network.state_dict())
        assert torch.equal(again.eval()(image), network.eval()(image))


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_a_network_with_an_identity_skip_starts_as_its_image(name: str) -> None:
    generator = np.random.default_rng(2)
    for _ in range(4):
        knobs = random_knobs(WITH_MAP, name, generator)
        if "input_skip" in knobs:
            knobs["input_skip"] = "identity"
        network = build(architecture(WITH_MAP, name, knobs)).eval()
        image = torch.rand(1, 5, 9, 8)
        assert torch.allclose(network(image), image[:, :4], atol=1e-6)


def test_the_same_seed_builds_the_same_weights() -> None:
    arch = random_architecture(ENLARGING, tuple(BACKBONES), np.random.default_rng(5))
    one, two = (build(arch, torch.Generator().manual_seed(9)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True))


def test_wrong_knobs_are_refused_by_name() -> None:
    knobs = random_knobs(ENLARGING, "plain", np.random.default_rng(0))
    with pytest.raises(UserError, match=r"width must be one of 8, 12, .* got 18"):
        architecture(ENLARGING, "plain", {**knobs, "width": 18})
    with pytest.raises(UserError, match="knob 'width' is missing"):
        architecture(ENLARGING, "plain", {name: value for name, value in knobs.items() if name != "width"})
    with pytest.raises(UserError, match="knob 'pool' does not apply here"):
        architecture(ENLARGING, "plain", {**knobs, "pool": "none"})
    with pytest.raises(UserError, match="knob 'upsampler' does not apply here"):
        architecture(SAME_SIZE, "plain", {**knobs, "input_skip": "none"})
    with pytest.raises(UserError, match="unknown backbone 'x'"):
        architecture(ENLARGING, "x", knobs)


def test_a_saved_architecture_with_a_wrong_field_is_refused() -> None:
    data = random_architecture(ENLARGING, tuple(BACKBONES), np.random.default_rng(5)).to_dict()
    data["settings"]["wheels"] = 4
    with pytest.raises(UserError, match=r"unknown \['wheels'\]"):
        architecture_from_dict(data)


def test_a_later_knob_may_be_missing_and_then_has_its_default() -> None:
    later = Knob("later", (1, 2), "made up", "ours", {"width": (8,)}, default=1)
    without_default = Knob("width", (8, 16), "channels", "ours")
    knobs = (without_default, later)
    assert complete(knobs, {"width": 8}) == {"width": 8, "later": 1}
    assert complete(knobs, {"width": 8, "later": 2}) == {"width": 8, "later": 2}
    assert complete(knobs, {"width": 16}) == {"width": 16}
    with pytest.raises(UserError, match="knob 'width' is missing"):
        complete(knobs, {})
