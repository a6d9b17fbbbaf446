"""A random architecture, drawn without any search library."""

from __future__ import annotations

from typing import Any

import numpy as np

from space import knobs as knob_rules
from space.architecture import Architecture, IOShape
from space.build import architecture, backbone


def random_knobs(shape: IOShape, backbone_name: str, generator: np.random.Generator) -> dict[str, Any]:
    """A value for every knob that applies, each uniform over its values."""
    chosen: dict[str, Any] = {}
    for knob in knob_rules.active(backbone(backbone_name).knobs_for(shape), chosen):
        chosen[knob.name] = knob.values[int(generator.integers(len(knob.values)))]
    return chosen


def random_architecture(shape: IOShape, backbones: tuple[str, ...], generator: np.random.Generator) -> Architecture:
    """A random backbone of ``backbones`` with random knobs."""
    name = backbones[int(generator.integers(len(backbones)))]
    return architecture(shape, name, random_knobs(shape, name, generator))
