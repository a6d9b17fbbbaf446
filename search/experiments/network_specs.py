"""Specs of networks: ``NAME``, ``NAME+skip``, and either with knobs turned, ``s-lwsr16+skip:upsampler=grouped``.

Published networks that are no point of the search space have sizes in place of knobs: ``zenosr:width=32``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from search.candidates.fixed_trials import SKIP_SUFFIX
from space.architecture import Architecture
from space.build import build
from space.command_line import parse_count
from space.errors import UserError, first_line
from space.knobs import Value
from space.search_space import BACKBONE, Parameter, SearchSpace
from space.tasks import TASKS
from space.zoo import PublishedNetwork, published_network, with_input_skip

LARGEST_SIZE = 1024  # of channels, blocks or layers


def entry_of(spec: str) -> PublishedNetwork:
    """The published configuration that ``spec`` starts from."""
    return published_network(spec.partition(":")[0].removesuffix(SKIP_SUFFIX))


def named_architecture(spec: str, scale: int) -> Architecture:
    """The network that ``spec`` means, at ``scale``.

    ``+skip`` adds its input to its output; turned knobs are those of the search space, from the paper's own point.

    Raises:
        UserError: an unknown name, a network that has no such form, or a knob that cannot be turned so.
    """
    head, _, turned = spec.partition(":")
    entry = entry_of(spec)
    arch = _turned(entry, scale, turned.split(","), spec) if turned else entry.at_scale(scale)
    if head.endswith(SKIP_SUFFIX):
        if not arch.lacks_input_skip:
            raise UserError(
                f"{SKIP_SUFFIX} is for networks that can take one and have none, got {spec!r}; leave it out"
            )
        arch = with_input_skip(arch)
    return arch


def forms(entry: PublishedNetwork, scale: int) -> tuple[str, ...]:
    """The specs of its fixed trials: as published and, where it can have one and has none, with our input skip."""
    return (entry.name, *([entry.name + SKIP_SUFFIX] if entry.at_scale(scale).lacks_input_skip else []))


def channels_of(entry: PublishedNetwork) -> str | None:
    """The value of ``--channels`` that fits the network of ``entry``; None if none does."""
    shape = entry.architecture.shape
    pairs = TASKS[entry.task].channels
    return next((channels for channels, pair in pairs.items() if pair == (shape.in_channels, shape.out_channels)), None)


def _turned(entry: PublishedNetwork, scale: int, assignments: Sequence[str], spec: str) -> Architecture:
    if BACKBONE not in entry.knobs:
        return _resized(entry, scale, assignments, spec)
    space = SearchSpace(TASKS[entry.task], entry.at_scale(scale).shape)
    knobs: dict[str, Value] = dict(entry.knobs)
    values = {parameter.key: parameter.values for parameter in space.of(str(knobs[BACKBONE]))}
    for assignment in assignments:
        turned, equals, text = assignment.partition("=")
        if not equals or turned not in values:
            raise UserError(
                f"a turned knob of {entry.name} must be NAME=VALUE with one of {', '.join(values)}, got "
                f"{assignment!r} in {spec!r}"
            )
        by_text = {str(value): value for value in values[turned]}
        if text not in by_text:
            raise UserError(f"{turned} of {entry.name} must be one of {', '.join(by_text)}, got {text!r} in {spec!r}")
        knobs[turned] = by_text[text]

    def unsaid(parameter: Parameter) -> Value:
        if parameter.knob.default is not None:
            return parameter.knob.default
        known = ", ".join(map(str, parameter.values))
        raise UserError(f"{spec!r} must say {parameter.key}, which now matters: one of {known}")

    changed = space.decode(space.fill(unsaid, knobs))
    return _with_changes(entry.at_scale(scale), space.decode(entry.knobs), changed)


def _resized(entry: PublishedNetwork, scale: int, assignments: Sequence[str], spec: str) -> Architecture:
    """The entry with other numbers of channels, blocks or layers than its authors'."""
    arch = entry.at_scale(scale)
    own = {each.name: getattr(arch.settings, each.name) for each in fields(arch.settings)}
    sizes = [name for name, value in own.items() if type(value) is int]
    if not sizes:
        raise UserError(f"{entry.name} has no knobs to turn, got {spec!r}; leave out what follows the colon")
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals or name not in sizes:
            raise UserError(
                f"a size of {entry.name} must be NAME=NUMBER with one of {', '.join(sizes)}, got {assignment!r} in "
                f"{spec!r}"
            )
        own[name] = parse_count(f"{name} of {entry.name}", text, 1, LARGEST_SIZE)
    changed = replace(arch, settings=type(arch.settings)(**own))
    try:
        build(changed)
    except Exception as error:  # whatever its layers say to the sizes
        raise UserError(f"{entry.name} cannot have the sizes of {spec!r}: {first_line(error)}") from None
    return changed


def _with_changes(arch: Architecture, before: Architecture, after: Architecture) -> Architecture:
    """``arch`` with what ``after`` has different from ``before``; what no knob turns stays the paper's."""
    settings = replace(arch.settings, **_changes(before.settings, after.settings))
    return replace(arch, settings=settings).with_ends(**_changes(before.ends, after.ends))


def _changes(before: Any, after: Any) -> dict[str, Any]:
    """The fields of ``after``, a dataclass, that differ from those of ``before``."""
    values = {each.name: getattr(after, each.name) for each in fields(after)}
    return {name: value for name, value in values.items() if value != getattr(before, name)}
