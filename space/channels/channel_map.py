"""The channels of a network in groups: which places of which tensors belong to each of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from space.channels.flow import Flow
from space.channels.segments import Sizes, segments_of_groups
from space.errors import UserError, first_line
from space.foreign_code import foreign_code
from space.layers.protocols import Composed, DividesSides, NarrowsItself
from space.operators.meta import dtype_of, meta_copy
from space.operators.trace import module_paths, not_compiled, set_eval
from space.specialists import networks_of

Axis: TypeAlias = "np.ndarray | None"
"""Of every place on an axis, the unit that it belongs to; None of an axis without channels."""

FEWEST_PX = 32  # sides of the image that is followed, or a multiple of what the network divides


@dataclass(frozen=True)
class ChannelGroup:
    """Units that can stand for each other: whichever of them go, the shapes that are left are the same.

    Attributes:
        name: the path of the first layer that writes its channels; ``PATH/2`` and so on for further groups of its.
        units: identities in the map, in the order of that layer's channels. A unit is what must go at once: a channel
            everywhere that it is used, the r*r channels that a pixel shuffle makes one of, a channel of every group of
            a grouped convolution.
    """

    name: str
    units: tuple[int, ...]

    @property
    def size(self) -> int:
        return len(self.units)


@dataclass(frozen=True)
class ChannelMap:
    """What ``space.channels.channel_map`` finds out about a network.

    Attributes:
        groups: by name, those of at least two units.
        axes: by name of a parameter or buffer, its axes.
        parts: by path of a ``NarrowsItself`` part, the units of its channels.
        segments: by name of a parameter or buffer, of each axis the numbers of places that come from, or go to, one
            place each: of what is concatenated or split, one of each tensor; of a grouped convolution, one of each
            group; otherwise a single one.
        unknown: operators without a rule, whose channels stay.
    """

    groups: Mapping[str, ChannelGroup]
    axes: Mapping[str, tuple[Axis, ...]]
    parts: Mapping[str, np.ndarray]
    segments: Mapping[str, tuple[Sizes, ...]]
    unknown: frozenset[str]

    def removed(self, kept: Mapping[str, Sequence[int]]) -> np.ndarray:
        """The units that go when of every group in ``kept`` only these places stay, in ascending order.

        Raises:
            UserError: a group is unknown, or the places are none of its own.
        """
        gone: set[int] = set()
        for name, places in kept.items():
            group = self.groups.get(name)
            if group is None:
                known = ", ".join(self.groups)
                raise UserError(f"widths must name groups of channels of this network, got {name!r}; known: {known}")
            if not places or list(places) != sorted({place for place in places if 0 <= place < group.size}):
                raise UserError(f"of {name} 1 to {group.size} channels can be kept, got {len(places)}")
            gone.update(set(group.units) - {group.units[place] for place in places})
        return np.array(sorted(gone), int)

    def narrowed(self, kept: Mapping[str, Sequence[int]]) -> ChannelMap:
        """The map of the network that ``space.channels.narrow`` leaves with the same ``kept``.

        Groups keep their names, also those with one unit left. A map that is made anew lacks them, and may name others
        differently.
        """
        gone = self.removed(kept)

        def left(units: Axis) -> Axis:
            return None if units is None else units[~np.isin(units, gone)]

        out = set(gone.tolist())
        groups = {
            name: replace(group, units=tuple(unit for unit in group.units if unit not in out))
            for name, group in self.groups.items()
        }
        axes = {name: tuple(map(left, each)) for name, each in self.axes.items()}
        parts = {path: units[~np.isin(units, gone)] for path, units in self.parts.items()}
        segments = {
            name: tuple(
                _segments_left(segments, units, gone) for segments, units in zip(each, self.axes[name], strict=True)
            )
            for name, each in self.segments.items()
        }
        return ChannelMap(groups, axes, parts, segments, self.unknown)


def channel_map(network: nn.Module, in_channels: int) -> ChannelMap:
    """The groups of ``network``, which takes an image `(1, in_channels, H, W)`; of specialists, of one of them.

    Channels of the image and of the output belong to no group: they stay.

    Raises:
        UserError: it cannot run on shapes alone.

    >>> import space
    >>> from space.channels import channel_map
    >>> groups = channel_map(space.build(space.PAPERS["s-lwsr16"].architecture), in_channels=3).groups
    >>> groups["stem"].size, groups["trunk.encoder.0.0.body.0"].size
    (16, 16)
    """
    return shadow_channels(meta_copy(networks_of(network)[0]), in_channels)


def shadow_channels(shadow: nn.Module, in_channels: int) -> ChannelMap:
    """As ``channel_map``, of a network that is on the meta device (``space.operators.meta_copy``) and does not run
    again: it is not copied, and is left in eval mode with forwards of its own.

    Raises:
        UserError: as ``channel_map``.
    """
    return _grouped(*_followed(shadow, in_channels))


def shadow_segments(shadow: nn.Module, in_channels: int) -> dict[str, tuple[Sizes, ...]]:
    """``ChannelMap.segments`` alone; otherwise as ``shadow_channels``."""
    return _segments(*_followed(shadow, in_channels))


def _followed(shadow: nn.Module, in_channels: int) -> tuple[nn.Module, Flow]:
    shadow = networks_of(shadow)[0]
    set_eval(shadow)
    flow = Flow(shadow)
    for path, module in shadow.named_modules():
        if isinstance(module, NarrowsItself):
            assert isinstance(module, nn.Module)
            module.forward = partial(flow.pass_whole, path, module, module.forward)
        elif isinstance(module, Composed):
            assert isinstance(module, nn.Module)
            module.forward = module.layer_by_layer
    image = torch.empty(1, in_channels, *[_side(shadow)] * 2, device="meta", dtype=dtype_of(shadow))
    flow.begin(image)
    try:
        with foreign_code(), torch.no_grad(), not_compiled(), module_paths(shadow, flow.labelling.path), flow:
            output = shadow(image)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"the network's channels cannot be followed: {first_line(error)}") from error
    flow.end(output)
    return shadow, flow


def _segments_left(segments: Sizes, units: Axis, gone: np.ndarray) -> Sizes:
    if units is None:
        return segments
    return tuple(int((~np.isin(own, gone)).sum()) for own in np.split(units, np.cumsum(segments)[:-1]))


def _side(network: nn.Module) -> int:
    sides = [module.multiple for module in network.modules() if isinstance(module, DividesSides)]
    return int(np.lcm.reduce([FEWEST_PX, *sides]))


def _grouped(network: nn.Module, flow: Flow) -> ChannelMap:
    """Units in the same places, as often, are of one group: on the same axes of the same tensors."""
    units = flow.labelling.units
    unit_of = units.roots(units.labels)
    axes = {
        name: tuple(None if labels is None else unit_of[labels] for labels in flow.labelling.of(tensor))
        for name, tensor in _named_tensors(network)
    }
    parts = {path: unit_of[labels] for path, labels in flow.whole}
    places = _places([axis for each in axes.values() for axis in each if axis is not None] + list(parts.values()))
    members: dict[bytes, list[int]] = {}
    names: dict[bytes, str] = {}
    seen = set(units.fixed())
    for path, labels in flow.labelling.produced:
        for unit in unit_of[labels].tolist():
            if unit not in seen:
                seen.add(unit)
                where = places.get(unit, b"")
                names.setdefault(where, path)
                members.setdefault(where, []).append(unit)
    groups: dict[str, ChannelGroup] = {}
    for where, own in members.items():
        if len(own) > 1:
            name, count = names[where], 2
            while name in groups:
                name, count = f"{names[where]}/{count}", count + 1
            groups[name] = ChannelGroup(name, tuple(own))
    return ChannelMap(groups, axes, parts, _segments(network, flow), frozenset(flow.unknown))


def _places(axes: Sequence[np.ndarray]) -> dict[int, bytes]:
    """By unit, on which of ``axes`` it is, and how often on each."""
    if not axes:
        return {}
    on = np.repeat(np.arange(len(axes)), [len(axis) for axis in axes])
    found, times = np.unique(np.concatenate(axes) * len(axes) + on, return_counts=True)
    units, first = np.unique(found // len(axes), return_index=True)
    facts = np.column_stack((found % len(axes), times))
    ends = [*first[1:].tolist(), len(facts)]
    each = zip(units.tolist(), first.tolist(), ends, strict=True)
    return {unit: facts[start:end].tobytes() for unit, start, end in each}


def _segments(network: nn.Module, flow: Flow) -> dict[str, tuple[Sizes, ...]]:
    labelling = flow.labelling
    labelling.segments.settle(labelling.units, labelling.produced)
    found = {
        name: tuple(
            (size,) if labels is None else labelling.segments.of(labels)
            for size, labels in zip(tensor.shape, labelling.of(tensor), strict=True)
        )
        for name, tensor in _named_tensors(network)
    }
    for path, _ in flow.whole:
        inside = segments_of_groups(network.get_submodule(path))
        found |= {f"{path}.{name}": segments for name, segments in inside.items()}
    return found


def _named_tensors(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers; a tied weight under each of its names."""
    yield from network.named_parameters(remove_duplicate=False)
    yield from network.named_buffers(remove_duplicate=False)
