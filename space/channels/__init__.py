"""Which channels of a network belong together: what pruning removes at once, and what shared weights are slices of."""

from space.channels.channel_map import ChannelGroup, ChannelMap, channel_map
from space.channels.narrow import narrow

__all__ = ["ChannelGroup", "ChannelMap", "channel_map", "narrow"]
