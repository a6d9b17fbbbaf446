"""A part of the space of sr x4 small enough that all of its networks can be measured, for samplers to be tried on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from space import TASKS
from space.knobs import Knob, Value
from space.search_space import BACKBONE, Parameter, SearchSpace, Values
from space.weight_bank.families import Family

HELD: dict[str, Value] = {
    "recursion": 1,
    "convolution": "dense",
    "depthwise_kernel": 3,
    "inverted_at": "first",
    "gated_ratio": 0.0,
    "activation_kept": "all",
    "residual_scale": 1.0,
    "malle": "none",
    "input_skip": "bicubic",
}
MOST = {"width": 20, "blocks": 12, "blocks_per_stage": 3, "expansion": 4, "inverted_expansion": 4}
OFFERED: dict[str, tuple[Value, ...]] = {
    "blocks": (4, 6, 8, 10, 12),
    "block": ("residual", "inverted"),
    "inverted_ratio": (0.0, 0.5),
    "attention": ("none", "channel"),
    "upsampler": ("dense-two-step", "dense-one-step", "nearest"),
}


@dataclass(frozen=True)
class TabulatedSpace(SearchSpace):
    """The points with the values ``HELD``, numbers up to ``MOST``, and of the choices ``OFFERED`` those values."""

    def _allowed(self, knob: Knob) -> tuple[Value, ...]:
        if knob.name in self.held:
            return (self.held[knob.name],)
        return tuple(value for value in super()._allowed(knob) if value in OFFERED.get(knob.name, (value,)))


def tabulated_space() -> TabulatedSpace:
    task = replace(TASKS["sr"], backbones=("symmetric", "plain"))
    return TabulatedSpace(task, task.shape(4), HELD, MOST)


def families(space: SearchSpace) -> Iterator[Family]:
    """All of them: together they have every network of ``space``."""
    for backbone in space.task.backbones:
        own = space.of(backbone)
        for largest in _points({BACKBONE: backbone}, [replace(each, knob=_largest(each)) for each in own]):
            yield Family.below(space, largest)


def members(space: SearchSpace, family: Family) -> Iterator[Values]:
    """Every point of a family."""
    backbone = str(family.values[BACKBONE])
    yield from _points({BACKBONE: backbone}, family.space(space).of(backbone))


def _largest(parameter: Parameter) -> Knob:
    """Its knob with the last value alone if it is elastic."""
    return replace(parameter.knob, values=parameter.values[-1:]) if parameter.knob.elastic else parameter.knob


def _points(values: Values, choices: Sequence[Parameter]) -> Iterator[Values]:
    """Every point with ``values`` and any of those ``choices`` that apply."""
    if not choices:
        yield values
        return
    choice, *others = choices
    if not choice.applies(values):
        yield from _points(values, others)
        return
    for value in choice.values:
        yield from _points({**values, choice.key: value}, others)
