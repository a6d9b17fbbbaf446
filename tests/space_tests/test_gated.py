"""Gated blocks, alone and after a share of a row's blocks."""

from __future__ import annotations

import json

import pytest
import torch
import torch.nn.functional as F

from latency_tables.lowering.fusion import architecture_operators
from latency_tables.tables.estimate import estimate
from latency_tables.tables.table import load_table, table_names
from space import TASKS, UserError, architecture_from_dict, build
from space.architecture import Architecture
from space.backbones.row import inverted_flags
from space.blocks.gated import NORMS, GatedSpec
from space.build import initialise
from space.knobs import Value
from space.layers.channel_self_attention import ChannelSelfAttention
from space.layers.channel_transformer import ChannelTransformer
from space.search_space import BACKBONE, SearchSpace, first
from tests.pruned_networks import assert_ordinary, halved

SPACE = SearchSpace(TASKS["sr"], TASKS["sr"].shape(4))


def plain(**knobs: Value) -> Architecture:
    return SPACE.decode(SPACE.fill(first, {BACKBONE: "plain", "width": 8, "blocks": 8, **knobs}))


def drawn(module: torch.nn.Module) -> torch.nn.Module:
    initialise(module, torch.Generator().manual_seed(0))
    return module.double().eval()


def features(channels: int = 8) -> torch.Tensor:
    return torch.randn(2, channels, 9, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_without_attention_it_is_a_gated_product_of_normalised_features() -> None:
    block, x = drawn(GatedSpec(width=8, hidden=16, norm="l2").residual(0.5)), features()
    part = block.body[1]
    unit = x / x.square().sum(1, keepdim=True).sqrt()
    hidden = F.conv2d(F.conv2d(unit, part.up.weight), part.depthwise.weight, padding=1, groups=32)
    expected = x + 0.5 * F.conv2d(F.gelu(hidden[:, :16]) * hidden[:, 16:], part.down.weight)
    torch.testing.assert_close(block(x), expected)


def test_with_attention_and_layer_norm_it_is_zenosr_s_channel_transformer() -> None:
    block = drawn(GatedSpec(width=8, hidden=16, attention="channels", norm="layer").residual())
    theirs, own = ChannelTransformer(8).double().eval(), block.body[0]
    with torch.no_grad():
        attention = theirs.attention
        attention.expand.weight.copy_(own.attention.expand.weight)
        attention.depthwise.weight.copy_(torch.cat((own.attention.query.weight, own.attention.value.weight)))
        attention.project.weight.copy_(own.attention.project.weight)
        for name in ("up", "depthwise", "down"):
            getattr(theirs.feed_forward, name).weight.copy_(getattr(own.feed_forward, name).weight)
        torch.testing.assert_close(block(features()), theirs(features()))


@pytest.mark.parametrize("attention", ["none", "channels"])
@pytest.mark.parametrize("norm", ["l2", "layer"])
def test_after_a_norm_what_it_adds_does_not_grow_with_its_input(norm: str, attention: str) -> None:
    block, x = drawn(GatedSpec(width=8, hidden=16, norm=norm, attention=attention).residual()), features()
    with torch.no_grad():
        added, of_more = block(x) - x, block(1e3 * x) - 1e3 * x
    assert of_more.abs().max() < 3 * added.abs().max()


@pytest.mark.parametrize("activated", [True, False])
@pytest.mark.parametrize("attention", ["none", "channels"])
def test_without_a_norm_it_grows_no_faster_than_its_input(attention: str, activated: bool) -> None:
    spec = GatedSpec(width=8, hidden=16, attention=attention, activated=activated)
    block, x = drawn(spec.residual()), 1e3 * features()
    with torch.no_grad():
        largest = [(block(times * x) - times * x).abs().max() for times in (1, 1e3)]
    assert largest[1] < 1.5e3 * largest[0]


def test_norms_that_are_none_of_the_knob_are_refused() -> None:
    with pytest.raises(UserError, match="norm of a gated block must be one of none, l2, layer, got 'batch'"):
        GatedSpec(width=8, hidden=16, norm="batch")


@pytest.mark.parametrize(("ratio", "places"), [(0.0, []), (0.25, [3, 8]), (0.5, [2, 5, 8, 11])])
def test_it_follows_a_share_of_the_blocks(ratio: float, places: list[int]) -> None:
    arch = plain(gated_ratio=ratio)
    blocks = arch.settings.blocks
    assert [place for place, spec in enumerate(blocks) if spec.kind == "gated"] == places
    assert len(blocks) == 8 + round(8 * ratio)
    assert len(places) == sum(inverted_flags(8, ratio, "spread"))
    assert SPACE.encode(arch) == SPACE.fill(first, {BACKBONE: "plain", "width": 8, "blocks": 8, "gated_ratio": ratio})


def test_it_follows_inverted_blocks_and_those_without_activation_too() -> None:
    mixed: dict[str, Value] = {"inverted_ratio": 0.5, "inverted_at": "last", "activation_kept": "rare"}
    arch = plain(gated_ratio=0.5, after_gated_norm="layer", **mixed)
    own = [spec for spec in arch.settings.blocks if spec.kind != "gated"]
    assert own == list(plain(**mixed).settings.blocks)
    assert {spec.norm for spec in arch.settings.blocks if spec.kind == "gated"} == {"layer"}
    values = SPACE.encode(arch)
    assert values is not None
    assert values["gated_ratio"] == 0.5


def test_what_was_stored_before_there_were_any_has_none() -> None:
    values = SPACE.fill(first, {BACKBONE: "plain", "gated_ratio": 0.0})
    arch = SPACE.decode(values)
    del values["gated_ratio"]
    assert SPACE.decode(values) == arch
    assert architecture_from_dict(json.loads(json.dumps(arch.to_dict()))) == arch


def test_its_attention_keeps_a_narrow_one_s_channels_in_front() -> None:
    """Each of four parts of the first convolution has the first channels of a wide one's."""
    wide, narrow = (drawn(ChannelSelfAttention(width)) for width in (8, 4))
    with torch.no_grad():
        for small, large in zip(narrow.expand.weight.chunk(4), wide.expand.weight.chunk(4), strict=True):
            small.copy_(large[:4, :4])
        narrow.query.weight.copy_(wide.query.weight[:4])
        x = features(8)
        x[:, 4:] = 0
        parts = (each.expand(inputs).chunk(4, 1)[0] for each, inputs in ((wide, x), (narrow, x[:, :4])))
        queries = [each.query(part) for each, part in zip((wide, narrow), parts, strict=True)]
    torch.testing.assert_close(queries[0][:, :4], queries[1])


@pytest.mark.parametrize("attention", ["none", "channels"])
def test_every_shipped_table_prices_it(attention: str) -> None:
    operators = architecture_operators(plain(gated_ratio=0.25, after_gated_attention=attention), (320, 180))
    for name in table_names():
        assert estimate(load_table(name), operators).ms > 0


@pytest.mark.parametrize("norm", NORMS)
def test_pruned_rows_with_it_are_ordinary_networks(norm: str) -> None:
    arch = halved(plain(blocks=4, gated_ratio=0.5, after_gated_norm=norm))
    assert_ordinary(arch, build(arch, torch.Generator().manual_seed(0)))
