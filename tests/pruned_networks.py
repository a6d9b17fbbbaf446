"""What holds of a network from which channels are removed."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from evaluators.costs import architecture_costs, network_costs
from space import build
from space.architecture import Architecture
from space.build import architecture_from_dict
from space.channels import ChannelMap, channel_map, narrow
from space.channels.widths import architecture_channels
from space.deploy import deploy_form
from space.layers.attention import SpatialAttention
from space.layers.channel_self_attention import ChannelSelfAttention
from space.layers.lightweight import Gsat
from space.specialists import networks_of
from tests.small_networks import filled

SIDE = 64


def image_of(arch: Architecture) -> torch.Tensor:
    return torch.rand(1, arch.shape.in_channels, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def halved(arch: Architecture) -> Architecture:
    groups = architecture_channels(arch).groups
    return replace(arch, widths=tuple(sorted((name, max(1, group.size // 2)) for name, group in groups.items())))


def drawn(channels: ChannelMap, share: float, seed: int = 0) -> dict[str, list[int]]:
    """About ``share`` of every group, at random."""
    generator = np.random.default_rng(seed)
    counts = {name: max(1, round(share * group.size)) for name, group in channels.groups.items()}
    return {
        name: sorted(generator.choice(channels.groups[name].size, count, replace=False).tolist())
        for name, count in counts.items()
    }


def silenced(network: nn.Module, channels: ChannelMap, kept: dict[str, list[int]]) -> None:
    """Zero every weight of the channels that go."""
    gone = np.array(
        [unit for name, group in channels.groups.items() for unit in np.delete(np.array(group.units), kept[name])]
    )
    with torch.no_grad():
        for name, tensor in (*network.named_parameters(), *network.named_buffers()):
            for axis, units in enumerate(channels.axes[name]):
                places = np.flatnonzero(np.isin(units, gone)) if units is not None else []
                if len(places):
                    tensor.index_fill_(axis, torch.from_numpy(places), 0.0)


def assert_exact(arch: Architecture) -> None:
    """What has only zeros to say can go, and nothing changes."""
    assert_exactly_narrowed(networks_of(build(arch, torch.Generator().manual_seed(0)))[0], image_of(arch))


def assert_exactly_narrowed(network: nn.Module, image: torch.Tensor) -> None:
    network = filled(network)
    channels = channel_map(network, image.shape[1])
    assert not channels.unknown
    assert channels.groups
    kept = drawn(channels, 0.5)
    silenced(network, channels, kept)
    with torch.no_grad():
        expected = network(image)
        before = sum(parameter.numel() for parameter in network.parameters())
        found = narrow(network, channels, kept)(image)
    assert sum(parameter.numel() for parameter in network.parameters()) < before
    counted = Gsat | SpatialAttention | nn.LayerNorm | ChannelSelfAttention
    if any(isinstance(module, counted) for module in network.modules()):
        assert found.shape == expected.shape  # a mean over channels counts those that are zero; GSAT changes its groups
        assert found.isfinite().all()
    else:
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-5 * max(1.0, float(expected.abs().max())))


def assert_ordinary(arch: Architecture, network: nn.Module) -> None:
    """It runs, learns, is stored, rebuilt and counted as any other."""
    image = torch.rand(2, arch.shape.in_channels, 32, 32)
    one = networks_of(network)[0]
    with torch.no_grad():
        output = one.eval()(image)
    side = 32 * arch.shape.scale
    assert output.shape == (2, arch.shape.out_channels, side, side)
    assert output.isfinite().all()
    stored = json.loads(json.dumps(arch.to_dict()))
    rebuilt = build(architecture_from_dict(stored))
    rebuilt.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert torch.equal(networks_of(rebuilt)[0].eval()(image), output)
    with torch.no_grad():
        deployed = deploy_form(copy.deepcopy(one.eval()))(image)
    torch.testing.assert_close(deployed, output, rtol=0, atol=1e-4 * max(1.0, float(output.abs().max())))
    counted = network_costs(one, (32, 32), arch.shape.in_channels)
    assert architecture_costs(replace(arch, shape=replace(arch.shape, specialists=1)), (32, 32)) == counted
    loss = one.train()(image).square().mean()
    loss.backward()
    assert loss.isfinite()
    gradients = [parameter.grad for parameter in one.parameters() if parameter.requires_grad]
    assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)
    assert architecture_costs(arch, (32, 32)).macs < architecture_costs(arch.unpruned, (32, 32)).macs
