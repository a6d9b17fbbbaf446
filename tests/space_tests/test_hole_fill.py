"""Push-pull hole filling: what it fills, what it leaves alone, what it costs, and where a search is offered it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from evaluators import data
from evaluators.quality import evaluate
from evaluators.tasks import rules_of
from latency_tables.lowering.fusion import architecture_operators
from latency_tables.measuring.engines.tflite import write_tflite
from latency_tables.tables.estimate import estimate
from latency_tables.tables.table import load_table
from space import TASKS, architecture, architecture_from_dict, build
from space.architecture import Architecture, IOShape
from space.backbones import BACKBONES
from space.deploy import deploy_form
from space.layers.hole_fill import push_pull
from space.operators import screen, trace
from tests.random_networks import random_knobs

MASKED = TASKS["inpaint"].shape(1)
SIZES = ((64, 96), (27, 50), (1, 3))
NAMES = ("plain", "pyramid", "encoder_decoder")


def holes(height: int, width: int) -> torch.Tensor:
    """A hole inside, one at a corner and one from edge to edge."""
    mask = torch.zeros(1, 1, height, width)
    mask[..., height // 4 : height // 2, width // 4 : width // 2] = 1
    mask[..., : height // 5, : width // 5] = mask[..., -(height // 6) - 1 :, 1:] = 1
    return mask


def of_backbone(name: str, skip: str, shape: IOShape = MASKED) -> Architecture:
    knobs = random_knobs(shape, name, np.random.default_rng(3))
    return architecture(shape, name, {**knobs, "input_skip": skip})


@pytest.mark.parametrize("size", SIZES)
def test_a_constant_picture_comes_back(size: tuple[int, int]) -> None:
    mask = holes(*size)
    picture = torch.tensor([0.2, 0.5, 0.9]).view(1, 3, 1, 1).expand(1, 3, *size)
    filled = push_pull(picture * (1 - mask) + 7 * mask, mask)
    assert torch.allclose(filled, picture, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_what_is_known_stays_and_the_rest_lies_between(size: tuple[int, int]) -> None:
    mask, picture = holes(*size), torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    filled = push_pull(picture * (1 - mask) + 7 * mask, mask)
    known = mask.expand_as(picture) == 0
    assert torch.equal(filled[known], picture[known])
    assert filled.min() >= picture[known].min() - 1e-5
    assert filled.max() <= picture[known].max() + 1e-5
    assert torch.equal(push_pull(picture, torch.zeros_like(mask)), picture)
    assert torch.isfinite(push_pull(picture, torch.ones_like(mask))).all()


def test_a_ramp_is_continued_across_a_hole() -> None:
    ramp = torch.linspace(0, 1, 64).expand(1, 1, 64, 64)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 24:40, 24:40] = 1
    filled = push_pull(ramp * (1 - mask), mask)
    inside = mask == 1
    assert (filled - ramp)[inside].abs().mean() < 0.02  # of a rise by 0.25 from side to side
    assert (filled[..., 1:] - filled[..., :-1])[..., 24:40, 24:39].min() > 0  # from side to side it only rises


@pytest.mark.parametrize("name", NAMES)
def test_an_untrained_network_starts_near_diffusion(name: str) -> None:
    rules = rules_of("inpaint")
    pairs = data.validation_pairs(data.validation_images(None, rules), rules)
    network = build(of_backbone(name, "push-pull", rules.shape), torch.Generator().manual_seed(0)).eval()
    assert evaluate(network, pairs, rules).psnr_db == pytest.approx(20.02, abs=0.05)  # diffusion: 20.67


@pytest.mark.parametrize("size", [(64, 64), (50, 27)])
@pytest.mark.parametrize("name", NAMES)
def test_it_is_traced_as_it_is_screened_and_has_a_price(name: str, size: tuple[int, int]) -> None:
    filling, copying = of_backbone(name, "push-pull"), of_backbone(name, "identity")
    screened, traced = screen(filling, *size), trace(deploy_form(build(filling)), (1, 4, size[1], size[0]))
    assert traced.peak_elements() == screened.peak_elements
    assert [(op.kind, op.input_shapes, op.output_shape) for op in traced.operators] == [
        (op.kind, op.input_shapes, op.output_shape) for op in screened.operators
    ]
    assert screened.macs == screen(copying, *size).macs  # it has no convolution
    for word in ("pixel4-a76", "a03s-a53-int8"):
        ms, without = (estimate(load_table(word), architecture_operators(arch, size)).ms for arch in (filling, copying))
        assert math.isfinite(ms)
        assert ms > without > 0
    assert write_tflite(architecture_operators(filling, size))


def test_it_is_offered_where_the_input_has_a_mask_of_holes() -> None:
    def offered(shape: IOShape) -> set[str]:
        knobs = [knob for name in NAMES for knob in BACKBONES[name].knobs_for(shape) if knob.name == "input_skip"]
        return {str(value) for knob in knobs for value in knob.values}

    assert offered(MASKED) == {"none", "identity", "push-pull"}
    noise_map = TASKS["denoise"].shape(1, "colour-noise-map")
    assert (noise_map.in_channels, noise_map.out_channels) == (MASKED.in_channels, MASKED.out_channels)
    assert offered(noise_map) == {"none", "identity"}
    assert "push-pull" not in offered(TASKS["sr"].shape(2))


def test_keys_do_not_know_of_the_mask() -> None:
    arch, plain_shape = of_backbone("plain", "identity"), of_backbone("plain", "identity", IOShape(4, 3))
    assert arch == plain_shape
    assert arch.key == plain_shape.key
    filling = of_backbone("plain", "push-pull")
    assert filling.key != arch.key
    assert "masked" not in filling.to_dict()["shape"]
    assert architecture_from_dict(filling.to_dict()) == filling
