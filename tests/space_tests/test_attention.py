"""Attention: each part by hand, each alone and both in order."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from latency_tables.lowering.fusion import network_operators
from space import TASKS, UserError, build
from space.layers.attention import ATTENTIONS, KINDS, ChannelAttention, SpatialAttention, attention, kinds_of
from tests.random_networks import random_architecture


def test_channel_attention_by_hand() -> None:
    layer, x = ChannelAttention(8), torch.rand(2, 8, 5, 6)
    first, second = layer.weigh[1], layer.weigh[3]
    hidden = torch.relu(x.mean((2, 3)) @ first.weight[:, :, 0, 0].T + first.bias)
    weights = torch.sigmoid(hidden @ second.weight[:, :, 0, 0].T + second.bias)
    assert torch.allclose(layer(x), x * weights[:, :, None, None], atol=1e-6)


def test_spatial_attention_is_one_weight_per_place() -> None:
    layer, x = SpatialAttention(), torch.rand(2, 8, 9, 7) + 0.1
    weights = layer(x) / x
    assert torch.allclose(weights, weights[:, :1].expand_as(weights), atol=1e-6)
    assert ((weights > 0) & (weights < 1)).all()
    assert weights[0, 0].std() > 0


def test_parameters_of_each_part() -> None:
    counts = {kind: sum(p.numel() for p in attention(kind, 64).parameters()) for kind in ("channel", "spatial")}
    assert counts == {"channel": 64 * 4 + 4 + 4 * 64 + 64, "spatial": 2 * 49 + 1}


def test_both_is_channel_then_spatial() -> None:
    shape, generator = TASKS["denoise"].shape(1), np.random.default_rng(0)
    arch = random_architecture(shape, ("plain",), generator)
    network = build(replace(arch, ends=replace(arch.ends, malle=None, attention="both")))
    x = torch.rand(1, network.trunk.width, 6, 6)
    channel, spatial = network.attention.values()
    assert torch.equal(network.insert("tail", x), spatial(channel(x)))
    assert kinds_of("both") == tuple(network.attention) == ("channel", "spatial")
    assert set(ATTENTIONS) == {"none", "channel", "spatial", "both", "esa", "lia"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_learns_and_phones_know_every_operator(kind: str) -> None:
    torch.manual_seed(0)  # of some weights, all of the few ReLUs start dead
    layer = attention(kind, 16)
    layer(torch.rand(2, 16, 9, 8)).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())
    assert "gather" not in {op.kind for op in network_operators(layer, 16, (8, 8))}


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UserError, match="unknown attention 'all'"):
        kinds_of("all")
