"""Random networks of any backbone and shape, whether a task has them or not."""

from __future__ import annotations

import numpy as np

from space.architecture import Architecture, IOShape
from space.knobs import Value
from space.search_space import BACKBONE, SearchSpace
from space.tasks import Task


def space_of(shape: IOShape, *backbones: str) -> SearchSpace:
    """The search space of a made-up task."""
    return SearchSpace(Task("any", "any task", {}, {}, shape.scale, backbones, shape.masked), shape)


def random_knobs(shape: IOShape, backbone: str, generator: np.random.Generator) -> dict[str, Value]:
    """A value for every knob that applies."""
    values = space_of(shape, backbone).random(generator, {BACKBONE: backbone})
    del values[BACKBONE]
    return values


def random_architecture(shape: IOShape, backbones: tuple[str, ...], generator: np.random.Generator) -> Architecture:
    space = space_of(shape, *backbones)
    return space.decode(space.random(generator))
