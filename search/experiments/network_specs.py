"""Specs of networks: ``NAME``, ``NAME+skip``, and either with knobs turned, ``s-lwsr16+skip:upsampler=grouped``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

from search.proposals import SKIP_SUFFIX
from space.architecture import Architecture
from space.build import architecture, backbone
from space.errors import UserError
from space.knobs import Value, active
from space.papers import Paper, paper, with_input_skip
from space.tasks import TASKS


def entry_of(spec: str) -> Paper:
    """The published configuration that ``spec`` starts from."""
    return paper(spec.partition(":")[0].removesuffix(SKIP_SUFFIX))


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
        if getattr(arch.settings, "input_skip", "") != "none":
            raise UserError(
                f"{SKIP_SUFFIX} is for networks that can take one and have none, got {spec!r}; leave it out"
            )
        arch = with_input_skip(arch)
    return arch


def forms(entry: Paper, scale: int) -> tuple[str, ...]:
    """The specs of its fixed trials: as published and, where it can have one and has none, with our input skip."""
    settings = entry.at_scale(scale).settings
    return (entry.name, *([entry.name + SKIP_SUFFIX] if getattr(settings, "input_skip", "") == "none" else []))


def channels_of(entry: Paper) -> str | None:
    """The word of its task's channels that the network of ``entry`` has; None where it has others."""
    shape = entry.architecture.shape
    pairs = TASKS[entry.task].channels
    return next((word for word, pair in pairs.items() if pair == (shape.in_channels, shape.out_channels)), None)


def _turned(entry: Paper, scale: int, assignments: Sequence[str], spec: str) -> Architecture:
    if "backbone" not in entry.knobs:
        raise UserError(f"{entry.name} has no knobs to turn, got {spec!r}; leave out what follows the colon")
    name, shape = str(entry.knobs["backbone"]), entry.at_scale(scale).shape
    own: dict[str, Value] = {knob: value for knob, value in entry.knobs.items() if knob != "backbone"}
    knobs = dict(own)
    values = {knob.name: knob.values for knob in backbone(name).knobs_for(shape)}
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
    applying: dict[str, Value] = {}
    for knob in active(backbone(name).knobs_for(shape), applying):
        value = knobs.get(knob.name, knob.default)
        if value is None:
            raise UserError(
                f"{spec!r} must say {knob.name}, which now matters: one of {', '.join(map(str, knob.values))}"
            )
        applying[knob.name] = value
    return _with_changes(entry.at_scale(scale), architecture(shape, name, own), architecture(shape, name, applying))


def _with_changes(arch: Architecture, before: Architecture, after: Architecture) -> Architecture:
    """``arch`` with the settings in which ``after`` differs from ``before``; what no knob turns stays the paper's."""
    settings = {each.name: getattr(after.settings, each.name) for each in fields(after.settings)}
    changed = {name: value for name, value in settings.items() if value != getattr(before.settings, name)}
    return replace(arch, settings=replace(arch.settings, **changed))
