"""Remove channels from a network, in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from space.channels.channel_map import ChannelMap
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
    removed = channels.removed(kept)
    if len(removed):
        for one in networks_of(network):
            remove_units(one, channels, removed)
    return network


@torch.no_grad()
def remove_units(network: nn.Module, channels: ChannelMap, removed: np.ndarray) -> None:
    """Remove units of ``channels`` by their identities; ``network`` is changed."""
    for path, units in channels.parts.items():
        gone = np.isin(units, removed)
        if gone.any():  # a whole part stays what it is, whatever its rule would make of its width
            _replace(network, path, np.flatnonzero(~gone).tolist())
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
        _count(module, channels.axes.get(f"{path}.weight" if path else "weight"))


def _cut(tensor: Tensor, axes: Sequence[np.ndarray | None], removed: np.ndarray) -> Tensor:
    for axis, units in enumerate(axes):
        if units is not None and (gone := np.isin(units, removed)).any():
            places = torch.from_numpy(np.flatnonzero(~gone)).to(tensor.device)
            tensor = tensor.detach().index_select(axis, places)
    return tensor


def _count(module: nn.Module, axes: Sequence[np.ndarray | None] | None) -> None:
    """Set the numbers of channels that torch's layers hold beside their weights, which had units on ``axes``."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        was_depthwise = module.groups == module.in_channels > 1 and not _same_in_every_group(module, axes)
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


def _same_in_every_group(module: nn.Conv2d | nn.ConvTranspose2d, axes: Sequence[np.ndarray | None] | None) -> bool:
    """Of groups with one input channel each: were they wider once, so that all of them lose the same outputs?"""
    if isinstance(module, nn.ConvTranspose2d) or axes is None or axes[0] is None:
        return False
    by_group = axes[0].reshape(module.groups, -1)
    return bool((by_group != by_group[:, :1]).any())


def _replace(network: nn.Module, path: str, kept: Sequence[int]) -> None:
    part = network.get_submodule(path)
    assert isinstance(part, NarrowsItself)
    parent, _, name = path.rpartition(".")
    setattr(network.get_submodule(parent), name, part.narrowed(kept))
