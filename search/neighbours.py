"""Where a search starts: a paper's own point with one knob turned.

A short run has some dozens of proposals. Random ones say little about a space of millions of points; the neighbours of
a point that is known to be good say what its choices are worth, and give the sampler's model something to stand on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, zip_longest
from typing import Any

import numpy as np

from evaluators.costs import architecture_costs
from search.budget import Budget
from search.latency import load_used
from search.records import RunSettings, TrialRecord
from search.within import FROM_INPUT, Screen, fitted
from space.architecture import IOShape
from space.build import architecture, backbone
from space.errors import UserError
from space.knobs import active, complete

CLEARLY = 0.95  # of the origin's cost; the mean shift, which is no knob, alone makes a small difference
CHEAPER, OTHERS = 8, 4  # neighbours that cost less than the paper's point, and as much or more
DRAWS = 40  # random networks of a backbone among which ``starts`` chooses
# A residual network without specialities, which learns fast and starts from its input, or from its holes filled; of
# several values, the first that is offered.
PLAIN = {
    "inverted_ratio": (0.0,),
    "activation_kept": ("all",),
    "residual_scale": (1.0,),
    "recursion": (1,),
    "conv": ("dense",),
    "block": ("residual",),
    "ar_conv": ("grouped",),
    "ar_groups": ("8",),
    "gsat": ("none",),
    "malle": ("none",),
    "attention": ("none",),
    "resample": ("pool+bilinear", "unshuffle+bilinear"),
    "input_skip": FROM_INPUT,
}
FEWEST = 4  # of them should fit the budget
STARTS = (0.1, 0.3, 0.5)  # which of them: shares of those that are cheaper


def neighbours(origin: TrialRecord, settings: RunSettings, shape: IOShape, budget: Budget) -> list[dict[str, Any]]:
    """Sets of knobs (with ``backbone``), each one turn away from ``origin``, within the budget.

    At most ``CHEAPER`` of them cost clearly less in the first cost objective; at most ``OTHERS`` do not, for they are
    on a front only if they are also better. Of each kind there is one of every knob, then a second of every knob, and
    so on; the run's seed decides among the values of a knob.
    """
    name = str(origin.knobs["backbone"])
    generator = np.random.default_rng(settings.seed)
    tables = load_used(settings.tables)
    cheaper: dict[str, list[dict[str, Any]]] = {}
    others: dict[str, list[dict[str, Any]]] = {}
    seen = {origin.architecture.key}
    for turned, knobs in _turned(
        shape, name, {knob: value for knob, value in origin.knobs.items() if knob != "backbone"}
    ):
        try:
            arch = architecture(shape, name, knobs)
            costs = architecture_costs(arch, settings.input_size, tables)
        except UserError:
            continue  # the origin itself lies off the grid, or a table cannot price the neighbour
        if arch.key not in seen and budget.allows(costs):
            seen.add(arch.key)
            cost = settings.objectives[1]
            group = cheaper if costs.of(cost) < CLEARLY * origin.cost(cost) else others
            group.setdefault(turned, []).append({"backbone": name, **knobs})
    return [*islice(_in_turn(cheaper, generator), CHEAPER), *islice(_in_turn(others, generator), OTHERS)]


def starts(backbones: tuple[str, ...], settings: RunSettings, budget: Budget) -> list[dict[str, Any]]:
    """Sets of knobs for a task of which no paper's network fits: ``STARTS`` of every backbone, cheapest first.

    Of random networks within the budget, with what ``PLAIN`` names as it says, those in the lower part of the costs, so
    that even a short run trains several. Under a budget that few of them fit, they are turned down until they do
    (``search.within``).
    """
    generator, screen = np.random.default_rng(settings.seed), Screen(settings, budget)
    shape, tables, cost = settings.shape, load_used(settings.tables), settings.objectives[1]
    chosen: list[tuple[float, dict[str, Any]]] = []
    for name in backbones:
        found: list[tuple[float, dict[str, Any]]] = []
        drawn = [_plain(shape, name, generator) for _ in range(DRAWS)]
        fitting = [knobs for knobs in drawn if screen.excess(name, knobs) <= 0]
        for knobs in drawn[: FEWEST - len(fitting)] if len(fitting) < FEWEST else ():
            near = fitted(name, knobs, screen, generator, {screen.arch(name, other).key for other in fitting})
            fitting += [near] if near is not None else []
        for knobs in fitting:
            costs = architecture_costs(architecture(shape, name, knobs), settings.input_size, tables)
            found.append((costs.of(cost), {"backbone": name, **knobs}))
        found.sort(key=lambda pair: pair[0])
        chosen += [found[int(share * len(found))] for share in STARTS if found]
    return [knobs for _, knobs in sorted(chosen, key=lambda pair: pair[0])]


def _plain(shape: IOShape, name: str, generator: np.random.Generator) -> dict[str, Any]:
    """Random knobs, with what ``PLAIN`` names as it says."""
    knobs: dict[str, Any] = {}
    for knob in active(backbone(name).knobs_for(shape), knobs):
        values = [value for value in PLAIN.get(knob.name, ()) if value in knob.values][:1] or knob.values
        knobs[knob.name] = values[int(generator.integers(len(values)))]
    return knobs


def _in_turn(by_knob: dict[str, list[dict[str, Any]]], generator: np.random.Generator) -> Iterator[dict[str, Any]]:
    """One of every knob, then a second of every knob, until all are out."""
    queues = [[values[index] for index in generator.permutation(len(values))] for values in by_knob.values()]
    for row in zip_longest(*queues):
        yield from (knobs for knobs in row if knobs is not None)


def _turned(shape: IOShape, name: str, knobs: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Name of a knob, and ``knobs`` with it at one of its other values; what comes to apply takes a middle value."""
    family = backbone(name).knobs_for(shape)
    knobs = complete(family, knobs)
    for knob in family:
        for value in knob.values if knob.name in knobs else ():
            if value != knobs[knob.name]:
                chosen: dict[str, Any] = {}
                for other in active(family, chosen):
                    kept = value if other.name == knob.name else knobs.get(other.name)
                    chosen[other.name] = other.values[len(other.values) // 2] if kept is None else kept
                yield knob.name, chosen
