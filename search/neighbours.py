"""Where a search starts: the papers' own points with one knob turned.

A short run has some dozens of proposals. Random ones say little about a space of millions of points; the neighbours of
a point that is known to be good say what its choices are worth, and give the sampler's model something to stand on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from evaluators.cost import architecture_costs
from search.budget import Budget
from search.records import RunSettings, TrialRecord
from space.architecture import IOShape
from space.build import architecture, backbone
from space.errors import UserError
from space.knobs import active

NEIGHBOURS = 10


def neighbours(
    origins: list[TrialRecord], settings: RunSettings, shape: IOShape, budget: Budget
) -> list[dict[str, Any]]:
    """At most ``NEIGHBOURS`` sets of knobs (with ``backbone``), each one turn away from one of ``origins``.

    They fit the budget, are distinct networks, and are drawn in an order that the run's seed gives.
    """
    seen = {origin.architecture.key for origin in origins}
    found = []
    for origin in origins:
        name = str(origin.knobs["backbone"])
        for turned in _turned(name, {k: v for k, v in origin.knobs.items() if k != "backbone"}):
            try:
                arch = architecture(shape, name, turned)
            except UserError:
                continue  # the origin itself lies off the grid
            if arch.key not in seen and budget.allows(architecture_costs(arch, settings.input_size)):
                seen.add(arch.key)
                found.append({"backbone": name, **turned})
    order = np.random.default_rng(settings.seed).permutation(len(found))
    return [found[index] for index in order[:NEIGHBOURS]]


def _turned(name: str, knobs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """``knobs`` with one of them at each of its other values; knobs that come to apply take their middle value."""
    family = backbone(name).knobs
    for knob in family:
        for value in knob.values if knob.name in knobs else ():
            if value != knobs[knob.name]:
                chosen: dict[str, Any] = {}
                for other in active(family, chosen):
                    kept = value if other.name == knob.name else knobs.get(other.name)
                    chosen[other.name] = other.values[len(other.values) // 2] if kept is None else kept
                yield chosen
