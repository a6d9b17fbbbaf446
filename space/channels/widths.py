"""A pruned architecture, and the shapes of its network."""

from __future__ import annotations

from functools import lru_cache

from torch import nn

from space.architecture import Architecture
from space.assembly import assemble
from space.channels.channel_map import ChannelMap, shadow_channels
from space.channels.narrow import narrow
from space.operators.shapes import made_on_meta
from space.parts import construct


@lru_cache(maxsize=64)
def architecture_channels(arch: Architecture) -> ChannelMap:
    """The groups of channels of ``arch`` before it is pruned, in the form in which it is trained."""
    with made_on_meta():
        network = assemble(arch.unpruned, construct)
    return shadow_channels(network, arch.shape.in_channels)


def narrow_to_widths(network: nn.Module, arch: Architecture) -> nn.Module:
    """Keep the first channels of each group, as many as ``arch.widths`` says; the network is changed and returned.

    Raises:
        UserError: a group is unknown, or does not have so many channels.
    """
    channels = architecture_channels(arch.unpruned)
    return narrow(network, channels, {name: range(count) for name, count in arch.widths})
