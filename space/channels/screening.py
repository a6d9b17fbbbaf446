"""Costs of pruned architectures without a trace of the whole network, as ``space.operators.screen`` has them of others.

A part is narrowed by itself. Parts that are made alike, of whose channels the same are coupled, and of which the same
go, are traced once, wherever in whichever network they stand. The result equals a full trace; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from torch import nn

from space.architecture import Architecture
from space.assembly import assemble
from space.channels.channel_map import Axis, ChannelMap
from space.channels.narrow import remove_units
from space.channels.widths import architecture_channels
from space.deploy import deploy_form
from space.operators.screen import KnownPart, Options, Screening, known_part, screen
from space.operators.shapes import made_on_meta

Pattern: TypeAlias = tuple[tuple[tuple[str, tuple[int, ...]], ...], bytes]
PART = "part"  # where a part stands while it is narrowed


@dataclass(frozen=True)
class _Place:
    """A part in its network.

    Attributes:
        channels: the axes of its tensors, and itself or what it holds that narrows itself.
        units: those on these axes, in the order in which they first appear.
        pattern: which axes there are, and for every place on them its index in ``units``. Parts that are made alike
            and have the same pattern lose the same places with units of the same index.
    """

    factory: Callable[..., nn.Module]
    args: tuple[Any, ...]
    options: Options
    channels: ChannelMap
    units: np.ndarray
    pattern: Pattern


@dataclass(frozen=True)
class _Narrowing:
    """A place without some of its units; equal ones give equal parts."""

    factory: Callable[..., nn.Module]
    args: tuple[Any, ...]
    options: Options
    pattern: Pattern
    gone: bytes
    place: _Place = field(compare=False)
    removed: np.ndarray = field(compare=False)


def screened(arch: Architecture, width_px: int, height_px: int) -> Screening:
    """Costs of ``arch``, pruned or not; otherwise as ``space.operators.screen``.

    Raises:
        UserError: a group of ``arch.widths`` is unknown, or does not have so many channels.
    """
    if not arch.widths:
        return screen(arch, width_px, height_px)
    channels = architecture_channels(arch.unpruned)
    removed = channels.removed({name: range(count) for name, count in arch.widths})
    places = iter(_places(arch.unpruned))

    def known(factory: Callable[..., nn.Module], args: tuple[Any, ...], options: Options) -> KnownPart:
        place = next(places)
        gone = np.isin(place.units, removed)
        if not gone.any():
            return known_part(factory, args, options)
        own = place.units[gone]
        return _narrowed(_Narrowing(factory, args, options, place.pattern, gone.tobytes(), place, own))

    return screen(arch.unpruned, width_px, height_px, known)


@lru_cache(maxsize=1024)
def _narrowed(narrowing: _Narrowing) -> KnownPart:
    with made_on_meta():
        part = narrowing.factory(*narrowing.args, **dict(narrowing.options))
        holder = nn.ModuleDict({PART: part})
        remove_units(holder, narrowing.place.channels, narrowing.removed)
        return KnownPart(deploy_form(holder[PART]))


@lru_cache(maxsize=64)
def _places(arch: Architecture) -> tuple[_Place, ...]:
    """The parts of ``arch`` in the order in which they are made."""
    made: list[tuple[Callable[..., nn.Module], tuple[Any, ...], Options, nn.Module]] = []

    def make(factory: Callable[..., nn.Module], *args: Any, **options: Any) -> nn.Module:
        part = factory(*args, **options)
        made.append((factory, args, tuple(options.items()), part))
        return part

    with made_on_meta():
        network = assemble(arch, make)
    paths = {id(module): path for path, module in network.named_modules()}
    channels = architecture_channels(arch)
    return tuple(_place(factory, args, options, channels, paths[id(part)]) for factory, args, options, part in made)


def _place(
    factory: Callable[..., nn.Module], args: tuple[Any, ...], options: Options, channels: ChannelMap, path: str
) -> _Place:
    def within(name: str) -> str | None:
        """``name`` with ``PART`` instead of the part's path; None of what is elsewhere."""
        if not path:
            return f"{PART}.{name}"
        return PART + name.removeprefix(path) if name == path or name.startswith(f"{path}.") else None

    axes = {inside: each for name, each in channels.axes.items() if (inside := within(name))}
    parts = {inside: units for name, units in channels.parts.items() if (inside := within(name))}
    everywhere: dict[str, tuple[Axis, ...]] = axes | {name: (units,) for name, units in parts.items()}
    units = [axis for each in everywhere.values() for axis in each if axis is not None]
    together = np.concatenate(units) if units else np.empty(0, int)
    _, first, inverse = np.unique(together, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    shape = tuple(
        (name, tuple(-1 if axis is None else len(axis) for axis in each)) for name, each in everywhere.items()
    )
    held = ChannelMap({}, axes, parts, {}, frozenset())
    return _Place(factory, args, options, held, together[np.sort(first)], (shape, rank[inverse].tobytes()))
