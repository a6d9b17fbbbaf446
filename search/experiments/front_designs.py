"""Designs that take a wanted time on a phone: a family made narrower, and points of the search space led there."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from latency_tables.tables.estimate import MissingOperatorError
from search.experiments.plain_row import PLAIN_ROW
from space.architecture import Architecture
from space.knobs import Value
from space.search_space import BACKBONE, SearchSpace, Values

Milliseconds = Callable[[Architecture], float]

TOLERANCE = 0.03  # as a share of the wanted time
STARTS = 6  # random points for each design that is wanted: some lead nowhere
PLAIN: Mapping[str, Value] = {**PLAIN_ROW, "upsampler": "dense-one-step", "input_skip": "bicubic"}


def takes(found_ms: float, wanted_ms: float) -> bool:
    """Whether both are the same time, within ``TOLERANCE``."""
    return abs(found_ms / wanted_ms - 1) <= TOLERANCE


def plain(space: SearchSpace, width: int, blocks: int) -> Architecture:
    """A row of residual blocks of ``width`` channels, on the grid of the space or not."""
    on_grid: dict[str, Value] = {parameter.key: parameter.values[-1] for parameter in space.of("plain")}
    on_grid |= PLAIN
    arch = space.decode(space.fill(lambda parameter: on_grid[parameter.key], {BACKBONE: "plain"}))
    return narrowed(arch, width, blocks)


def narrowed(arch: Architecture, width: int, blocks: int) -> Architecture:
    """A plain ``arch`` with its first ``blocks`` blocks, at ``width`` channels; the grid of knobs does not matter."""
    assert arch.ends is not None
    specs = tuple(spec.at_width(width) for spec in arch.settings.blocks[:blocks])
    narrow = replace(arch, settings=replace(arch.settings, width=width, blocks=specs))
    return narrow.with_ends(upsampler=replace(arch.ends.upsampler, width=width))


def narrower(parent: Architecture, wanted_ms: float, ms: Milliseconds) -> Architecture | None:
    """The plain ``parent`` at the number of channels that takes ``wanted_ms``; with fewer blocks where none does.

    None where no number of either does.
    """
    for blocks in range(len(parent.settings.blocks), 0, -1):
        designs = [narrowed(parent, width, blocks) for width in range(1, parent.settings.width + 1)]
        nearest = min(designs, key=lambda arch: abs(ms(arch) - wanted_ms))
        if takes(ms(nearest), wanted_ms):
            return nearest
    return None


def drawn(
    space: SearchSpace,
    given: Mapping[str, Value],
    wanted_ms: float,
    ms: Milliseconds,
    count: int,
    generator: np.random.Generator,
) -> tuple[Architecture, ...]:
    """Up to ``count`` different designs that take ``wanted_ms``, each a random point led there by its costs alone.

    ``given`` knobs stay as they are, and only backbones that offer their values are drawn. Fewer are found where the
    space has few designs that fast.
    """
    found: dict[str, Architecture] = {}
    names = space.offering(given)
    for _ in range(STARTS * count if names else 0):
        if len(found) == count:
            break
        name = names[int(generator.integers(len(names)))]
        start = space.random(generator, {**given, BACKBONE: name})
        arch = _led(space, start, given, wanted_ms, ms, generator)
        if arch is not None:
            found.setdefault(arch.key, arch)
    return tuple(found.values())


def _led(
    space: SearchSpace,
    values: Values,
    given: Mapping[str, Value],
    wanted_ms: float,
    ms: Milliseconds,
    generator: np.random.Generator,
) -> Architecture | None:
    """From ``values``, one knob at a time, each turn one that comes nearer; None where none does. What has no price is
    as far off as can be."""
    arch = space.decode(values)
    off = _off(arch, wanted_ms, ms)
    while off == math.inf or not takes(ms(arch), wanted_ms):
        neighbours = [point for parameter, point in space.neighbours(values) if parameter.key not in given]
        for index in generator.permutation(len(neighbours)).tolist():
            turned = space.decode(neighbours[index])
            reached = _off(turned, wanted_ms, ms)
            if reached < off:
                values, arch, off = neighbours[index], turned, reached
                break
        else:
            return None
    return arch


def _off(arch: Architecture, wanted_ms: float, ms: Milliseconds) -> float:
    try:
        return abs(math.log(ms(arch) / wanted_ms))
    except MissingOperatorError:
        return math.inf
