"""The modulated block: its formula, and what a tile needs of the image around it."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluators.restore.receptive_field import halo_of
from space import UserError
from space.blocks.modulated import ModulatedSpec, Modulation
from space.build import initialise
from space.count import all_choices

CHOICES = list(all_choices(ModulatedSpec.KNOBS))
LOCAL = [knobs for knobs in CHOICES if knobs["modulation_statistics"] == "none"]


def block_of(knobs: dict[str, str], width: int = 4, scale: float = 1) -> nn.Module:
    block = ModulatedSpec.from_knobs(width, knobs).residual(scale)
    generator = torch.Generator().manual_seed(0)
    initialise(block, generator)
    for parameter in block.parameters():  # also the weight of the variance, which starts at zero
        parameter.data.uniform_(-0.5, 0.5, generator=generator)
    return block.eval().requires_grad_(False)


def image_of(*size: int) -> Tensor:
    return torch.randn(1, 4, *size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("knobs", CHOICES, ids=lambda knobs: "-".join(knobs.values()))
def test_half_is_weighted_by_a_coarse_map_of_itself(knobs: dict[str, str]) -> None:
    image, block = image_of(24, 16), block_of(knobs, scale=0.5)
    layers = block.body[0]
    assert isinstance(layers, Modulation)
    act = F.relu if knobs["modulation_activation"] == "relu" else F.gelu

    x = image / image.norm(dim=1, keepdim=True) if knobs["modulation_norm"] == "l2" else image
    features = layers.modulated(x)
    maxima = features.reshape(1, 4, 3, 8, 2, 8).amax((3, 5))
    coarse = layers.depthwise(maxima)
    if knobs["modulation_statistics"] == "image":
        mean = features.mean((2, 3), keepdim=True)
        coarse += ((features - mean) ** 2).mean((2, 3), keepdim=True) * layers.variance_weight
    weights = act(layers.coarse[0](coarse))
    if knobs["modulation_norm"] == "none":
        weights = weights.clamp(-6, 6)
    weights = weights.repeat_interleave(8, 2).repeat_interleave(8, 3)
    first, depthwise, widen, _, back = layers.local
    added = layers.last(features * weights + back(act(widen(depthwise(first(x))))))
    torch.testing.assert_close(block(image), image + 0.5 * added)


@pytest.mark.parametrize("knobs", LOCAL, ids=lambda knobs: "-".join(knobs.values()))
def test_a_tile_gives_what_the_image_does_there(knobs: dict[str, str]) -> None:
    """Tiles begin at multiples of 8; one pixel of the coarse map around them is all that they need."""
    block = nn.Sequential(block_of(knobs), block_of(knobs))
    halo = halo_of(block, 4)
    assert (halo.before, halo.after, halo.multiple) == ((16, 16), (16, 16), 8)
    image = image_of(83, 69)  # no multiples of 8
    whole = block(image)
    for top, bottom in ((0, 32), (32, 64), (64, 83)):
        rows = image[:, :, max(0, top - 16) : bottom + 16, 8:]
        torch.testing.assert_close(
            block(rows)[:, :, min(top, 16) :][:, :, : bottom - top, 16:], whole[:, :, top:bottom, 24:]
        )


def test_with_the_variance_of_the_image_a_tile_differs() -> None:
    knobs = LOCAL[0] | {"modulation_statistics": "image"}
    halo = halo_of(block_of(knobs), 4)
    assert not halo.is_local
    assert set(halo.whole_picture) == {"var"}
    assert block_of(knobs)(image_of(1, 1)).isfinite().all()  # a single pixel has a variance too


def test_both_kinds_are_one_without_their_activations() -> None:
    one, other = (ModulatedSpec(width=8, hidden=8, activation=kind) for kind in ("relu", "gelu"))
    assert one != other
    assert one.linear() == other.linear()


def test_other_values_are_refused() -> None:
    with pytest.raises(UserError, match="modulation_norm must be one of none, l2, got 'batch'"):
        ModulatedSpec(width=8, hidden=8, norm="batch")


@pytest.mark.parametrize("knobs", CHOICES, ids=lambda knobs: "-".join(knobs.values()))
@pytest.mark.parametrize("activated", [True, False])
def test_features_grow_with_their_size_and_not_with_its_square(knobs: dict[str, str], activated: bool) -> None:
    spec = ModulatedSpec.from_knobs(4, knobs)
    block = (spec if activated else spec.linear()).residual()
    initialise(block, torch.Generator().manual_seed(0))
    image = image_of(16, 16)
    with torch.no_grad():
        large, larger = (block(factor * image).abs().max() for factor in (1e6, 1e8))
    assert larger < 101 * large
