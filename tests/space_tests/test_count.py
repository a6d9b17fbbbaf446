"""How many networks there are: formulas against listing them all."""

from dataclasses import replace

import numpy as np
import pytest

from space import TASKS, SearchSpace
from space.architecture import IOShape
from space.assembly import backbone
from space.backbones import BACKBONES, Backbone
from space.build import architecture
from space.count import all_choices, architectures, knob_sets
from space.knobs import Knob
from tests.random_networks import random_knobs

MADE_UP = (
    Knob("colour", ("red", "green", "blue"), "", ""),
    Knob("size", (1, 2), "", ""),
    Knob("shade", ("light", "dark"), "", "", {"colour": ("red", "blue")}),
    Knob("depth", (1, 2, 3), "", "", {"shade": ("dark",), "size": (2,)}),
    Knob("edge", ("none", "thin"), "", "", {"colour": ("green",)}),
)
SHAPES = {"enlarging": IOShape(3, 3, 4), "same-size": IOShape(3, 3)}
# Two values of the knobs that interact, one of the others.
INTERACTING = {
    "width": (16, 20),
    "blocks": (2, 6),
    "blocks_per_stage": (1, 2),
    "block": ("residual", "preactivated", "gsat", "gated"),
    "dilation": (1, 2),
    "convolution": ("dense", "list"),
    "ar_convolution": ("grouped", "list"),
    "inverted_ratio": (0.0, 0.5, 0.75),
    "activation_kept": ("rare", "1/3", "all"),
    "inverted_at": ("first", "last"),
    "gated_ratio": (0.0, 0.5),
    "malle": ("none", "head"),
    "malle_pool": (1, 2),
    "resample": ("pool+bilinear", "unshuffle+bilinear", "bilinear-list"),
}


def trimmed(entry: Backbone) -> Backbone:
    """``entry`` with a space that can be listed."""

    def fewer(knob: Knob) -> Knob:
        wanted = INTERACTING.get(knob.name, knob.values[:1])
        values = tuple(value for value in knob.values if value in wanted)
        return replace(knob, values=values or knob.values[:1], same_size=knob.same_size and knob.same_size[:1])

    return replace(entry, knobs=tuple(map(fewer, entry.knobs)))


def test_choices_of_a_made_up_space_by_hand_and_by_listing() -> None:
    # green: 2 sizes x 2 edges; red and blue: light with 2 sizes, dark with size 1, dark with size 2 and 3 depths.
    assert knob_sets(MADE_UP) == 2 * 2 + 2 * (2 + 1 + 3)
    listed = list(all_choices(MADE_UP))
    assert len({tuple(sorted(chosen.items())) for chosen in listed}) == len(listed) == knob_sets(MADE_UP)


@pytest.mark.parametrize("kind", sorted(SHAPES))
@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_architectures_of_a_small_space_by_listing_their_keys(name: str, kind: str) -> None:
    entry, shape = trimmed(BACKBONES[name]), SHAPES[kind]
    choices = list(all_choices(entry.knobs_for(shape)))
    keys = {architecture(shape, name, chosen).key for chosen in choices}
    assert len(choices) == knob_sets(entry.knobs_for(shape))
    assert len(keys) == architectures(entry, shape) > 8


@pytest.mark.parametrize("ratios", [(0.0,), (0.5,), (0.25, 0.75)])
def test_rows_of_whatever_shares_are_offered(ratios: tuple[float, ...]) -> None:
    entry, shape = trimmed(BACKBONES["plain"]), SHAPES["enlarging"]
    knobs = tuple(replace(knob, values=ratios) if knob.name == "inverted_ratio" else knob for knob in entry.knobs)
    entry = replace(entry, knobs=knobs)
    keys = {architecture(shape, "plain", chosen).key for chosen in all_choices(entry.knobs_for(shape))}
    assert len(keys) == architectures(entry, shape)


@pytest.mark.parametrize("name", sorted(set(BACKBONES) - {"plain", "symmetric", "progressive"}))
def test_without_a_row_of_blocks_every_choice_is_a_network_of_its_own(name: str) -> None:
    generator, shape = np.random.default_rng(3), SHAPES["same-size"]
    drawn = {tuple(random_knobs(shape, name, generator).items()) for _ in range(1_000)}
    assert len({architecture(shape, name, dict(chosen)).key for chosen in drawn}) == len(drawn)


@pytest.mark.parametrize("name", TASKS)
def test_tasks_add_their_backbones_up(name: str) -> None:
    task = TASKS[name]
    shape = task.shape(task.default_scale)
    own = [backbone(name) for name in task.backbones]
    assert SearchSpace(task, shape).count() == sum(architectures(entry, shape) for entry in own)
    assert SearchSpace(task, shape).count() <= sum(knob_sets(entry.knobs_for(shape)) for entry in own)
    # In a row of two or three blocks, most shares of inverted blocks and of activations are the same network.
    long = [replace(entry, knobs=tuple(map(four_blocks_or_more, entry.knobs))) for entry in own]
    choices = sum(knob_sets(entry.knobs_for(shape)) for entry in long)
    assert 0.9 * choices < sum(architectures(entry, shape) for entry in long) <= choices


def four_blocks_or_more(knob: Knob) -> Knob:
    return replace(knob, values=tuple(value for value in knob.values if knob.name != "blocks" or int(value) >= 4))
