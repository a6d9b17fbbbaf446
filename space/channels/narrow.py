"""Remove channels from a network, in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from space.channels.channel_map import ChannelMap
from space.errors import UserError
from space.layers.protocols import NarrowsItself
from space.specialists import networks_of


@torch.no_grad()
def narrow(network: nn.Module, channels: ChannelMap, kept: Mapping[str, Sequence[int]]) -> nn.Module:
    """Keep of every group in ``kept`` the units at these places, in their order; other groups stay whole.

    Args:
        network: that of which ``channels`` is the map; it is changed and returned. Specialists are narrowed alike.
        kept: by name of a group, places among its units, increasing; at least one.

    Raises:
        UserError: a group is unknown, or the places are none of its own.
    """
    removed: set[int] = set()
    for name, places in kept.items():
        group = channels.groups.get(name)
        if group is None:
            known = ", ".join(channels.groups)
            raise UserError(f"widths must name groups of channels of this network, got {name!r}; known: {known}")
        if not places or list(places) != sorted({place for place in places if 0 <= place < group.size}):
            raise UserError(f"of {name} 1 to {group.size} channels can be kept, got {len(places)}")
        removed.update(set(group.units) - {group.units[place] for place in places})
    if removed:
        for one in networks_of(network):
            _narrow(one, channels, np.array(sorted(removed)))
    return network


def _narrow(network: nn.Module, channels: ChannelMap, removed: np.ndarray) -> None:
    for path, units in channels.parts.items():
        _replace(network, path, np.flatnonzero(~np.isin(units, removed)).tolist())
    done: dict[int, nn.Parameter] = {}  # tied parameters stay tied
    for path, module in network.named_modules():
        for held in (module._parameters, module._buffers):
            for name, tensor in list(held.items()):
                axes = channels.axes.get(f"{path}.{name}" if path else name)
                if tensor is None or axes is None or path in channels.parts:
                    continue
                if id(tensor) not in done:
                    smaller = _cut(tensor, axes, removed)
                    if smaller is tensor:
                        continue
                    made = nn.Parameter(smaller, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else smaller
                    done[id(tensor)] = made  # type: ignore[assignment]
                    done[id(made)] = made  # type: ignore[assignment]
                held[name] = done[id(tensor)]
        _count(module)


def _cut(tensor: Tensor, axes: Sequence[np.ndarray | None], removed: np.ndarray) -> Tensor:
    for axis, units in enumerate(axes):
        if units is not None and (gone := np.isin(units, removed)).any():
            places = torch.from_numpy(np.flatnonzero(~gone)).to(tensor.device)
            tensor = tensor.detach().index_select(axis, places)
    return tensor


def _count(module: nn.Module) -> None:
    """Set the numbers of channels that torch's layers hold beside their weights."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        was_depthwise = module.groups == module.in_channels > 1
        outer, inner = module.weight.shape[:2]
        if isinstance(module, nn.ConvTranspose2d):
            outer, inner = inner, outer
            module.groups = outer_groups = module.weight.shape[0] if was_depthwise else module.groups
            module.in_channels, module.out_channels = module.weight.shape[0], outer * outer_groups
        else:
            times = module.out_channels // module.groups if was_depthwise else 1
            module.groups = outer // times if was_depthwise else module.groups
            module.in_channels, module.out_channels = inner * module.groups, outer
    elif isinstance(module, nn.BatchNorm2d):
        module.num_features = len(module.running_mean) if module.running_mean is not None else module.num_features
    elif isinstance(module, nn.PReLU):
        module.num_parameters = module.weight.numel()
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = module.weight.shape
    elif isinstance(module, nn.LayerNorm) and module.elementwise_affine:
        module.normalized_shape = tuple(module.weight.shape)


def _replace(network: nn.Module, path: str, kept: Sequence[int]) -> None:
    part = network.get_submodule(path)
    assert isinstance(part, NarrowsItself)
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, part.narrowed(kept))
