"""How much each unit of a group of channels matters, by torch-pruning's measures.

torch-pruning's own dependency graph does not see through a pixel shuffle or a channel shuffle; its measures ask only
for the layers of a group and the places in them, which ``space.channels`` gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch_pruning
from torch import Tensor, nn

from space.channels import ChannelGroup, ChannelMap

MEASURES: Mapping[str, Callable[..., Any]] = {
    "magnitude": torch_pruning.importance.GroupMagnitudeImportance,
    "taylor": torch_pruning.importance.GroupTaylorImportance,
    "fpgm": torch_pruning.importance.FPGMImportance,
}
IMPORTANCES = tuple(MEASURES)
NEED_GRADIENTS = ("taylor",)


@dataclass(frozen=True)
class _Dependency:
    """A layer of a group and one of its sides, as torch-pruning's measures read them."""

    layer: nn.Module
    pruning_fn: Callable[..., Any]

    @property
    def target(self) -> _Target:
        return _Target(self.layer)

    @property
    def handler(self) -> Callable[..., Any]:
        return self.pruning_fn


@dataclass(frozen=True)
class _Target:
    module: nn.Module


@dataclass(frozen=True)
class _Item:
    """``idxs`` are places on a layer's side; ``root_idxs`` the places of their units in the group."""

    dep: _Dependency
    idxs: list[int]
    root_idxs: list[int]

    def __iter__(self) -> Any:
        return iter((self.dep, self.idxs))


def importances(network: nn.Module, channels: ChannelMap, measure: str) -> dict[str, Tensor]:
    """By name of a group, a number for each of its units; of a group their mean is 1, if any matters.

    Args:
        network: one of which ``channels`` is the map; for ``taylor``, with gradients of the loss.
        measure: a key of ``MEASURES``: group L2 norm, first-order Taylor expansion (Molchanov et al. 2019), or distance
            from the geometric median (He et al. 2019), means over a group's layers.
    """
    rate = MEASURES[measure](normalizer=None)
    layers = _layers(network, channels)
    found = {}
    for name, group in channels.groups.items():
        items = _items(group, layers)
        scores = rate(items) if items else None
        values = torch.ones(group.size) if scores is None else scores[: group.size].detach().float().cpu()
        found[name] = values / values.mean() if values.mean() > 0 else torch.ones(group.size)
    return found


def _layers(network: nn.Module, channels: ChannelMap) -> list[tuple[_Dependency, np.ndarray]]:
    """Layers with the units on one of their sides."""
    found: list[tuple[_Dependency, np.ndarray]] = []
    for path, module in network.named_modules():
        axes = channels.axes.get(f"{path}.weight" if path else "weight")
        if axes is None or not getattr(module, "weight", torch.empty(0)).requires_grad:
            continue
        for axis, function in enumerate(_sides(module)):
            units = axes[axis] if axis < len(axes) else None
            if units is not None:
                found.append((_Dependency(module, function), units))
    return found


def _sides(module: nn.Module) -> tuple[Callable[..., Any], ...]:
    """What torch-pruning calls the removal of places on each axis of the weight."""
    if isinstance(module, nn.ConvTranspose2d):
        return torch_pruning.prune_conv_in_channels, torch_pruning.prune_conv_out_channels
    if isinstance(module, nn.Conv2d):
        return torch_pruning.prune_conv_out_channels, torch_pruning.prune_conv_in_channels
    if isinstance(module, nn.Linear):
        return torch_pruning.prune_linear_out_channels, torch_pruning.prune_linear_in_channels
    if isinstance(module, nn.BatchNorm2d):
        return (torch_pruning.prune_batchnorm_out_channels,)
    return ()


def _items(group: ChannelGroup, layers: list[tuple[_Dependency, np.ndarray]]) -> list[_Item]:
    """The group's layers; first one with a place for each unit, for a measure takes its number from the first."""
    place = {unit: index for index, unit in enumerate(group.units)}
    items = []
    for dependency, units in layers:
        idxs = [index for index, unit in enumerate(units.tolist()) if unit in place]
        if idxs:
            items.append(_Item(dependency, idxs, [place[int(units[index])] for index in idxs]))
    return sorted(items, key=lambda item: len(item.idxs) < group.size)
