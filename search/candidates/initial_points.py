"""The initial points of a search: a published network with one knob changed, or small plain networks.

A short run has a few dozen proposals. Random ones reveal little about a space of millions of points; the neighbours of
a good point show what its choices are worth and give the sampler's model a start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, zip_longest

import numpy as np

from search.candidates.repair import FROM_INPUT, repaired
from search.candidates.screening import Screen
from search.records import TrialRecord
from space.errors import UserError
from space.knobs import Value
from space.search_space import BACKBONE, Parameter, SearchSpace, Values, first, middle

CLEARLY = 0.95  # of the origin's cost; the mean shift, which is no knob, alone makes a small difference
CHEAPER, OTHERS = 8, 4  # neighbours that cost less than the paper's point, and as much or more
RANDOM_SAMPLES = 40  # random networks of a backbone among which ``small_networks`` chooses
# A residual network without specialities, which learns fast and starts from its input, or from its holes filled; of
# several values, the first that is offered; of kinds of blocks, the one that its backbone names first.
PLAIN: dict[str, tuple[Value, ...]] = {
    "inverted_ratio": (0.0,),
    "gated_ratio": (0.0,),
    "activation_kept": ("all",),
    "residual_scale": (1.0,),
    "recursion": (1,),
    "convolution": ("dense",),
    "ar_convolution": ("grouped",),
    "malle": ("none",),
    "attention": ("none",),
    "resample": ("pool+bilinear", "unshuffle+bilinear"),
    "input_skip": FROM_INPUT,
}
FEWEST = 4  # of them should fit the budget
STARTS = (0.1, 0.3, 0.5)  # which of them: shares of those that are cheaper


def initial_points(fixed: Sequence[TrialRecord], screen: Screen) -> list[Values]:
    """Points that are trained before the sampler proposes any.

    They are neighbours of the widest fixed trial that has knobs and an input skip. A published network is known to be
    good; an approximation is not, so its neighbours alternate with small networks of every backbone. If there is
    neither, the small networks come first, then the neighbours of one of them.
    """
    origins = [
        record
        for record in fixed
        if record.status != "failed" and BACKBONE in record.knobs and not record.architecture.lacks_input_skip
    ]
    # The widest that fits, in the first of its forms: the point nearest to what the budget can carry.
    origin = max(origins, key=narrow_first, default=None)
    if origin is not None and not origin.approximation:
        return neighbours(origin, screen)
    small = small_networks(screen)
    if origin is not None:
        turns = zip_longest(small, neighbours(origin, screen))
        return [values for turn in turns for values in turn if values is not None]
    middle_first = sorted(small, key=lambda values: abs(small.index(values) - len(small) // 2))
    candidates = (screen.candidate(-1, values) for values in middle_first)
    origin = next((record for record in candidates if record.status != "failed"), None)
    return small if origin is None else [*small, *neighbours(origin, screen)]


def narrow_first(record: TrialRecord) -> tuple[int, int]:
    """Order of fixed trials: those without knobs first, by parameters; then by width."""
    width = getattr(record.architecture.settings, "width", None)
    return (width, 0) if BACKBONE in record.knobs and isinstance(width, int) else (0, record.costs.params)


def neighbours(origin: TrialRecord, screen: Screen) -> list[Values]:
    """Points within the budget, each with one knob of ``origin`` at another value.

    At most ``CHEAPER`` of them cost clearly less in the first cost objective; at most ``OTHERS`` do not, for they are
    on a front only if they are also better. Of each kind there is one of every knob, then a second of every knob, and
    so on; the run's seed decides among the values of a knob.
    """
    space, settings = screen.space, screen.settings
    generator = np.random.default_rng(settings.seed)
    cost = settings.objectives[1]
    cheaper: dict[str, list[Values]] = {}
    others: dict[str, list[Values]] = {}
    seen = {origin.architecture.key}
    for parameter, values in space.neighbours(space.fill(first, origin.knobs), _all_others, middle):
        try:
            arch = space.decode(values)
            costs = screen.costs(arch)
        except UserError:
            continue  # the origin itself lies off the grid, or a table cannot price the neighbour
        if arch.key not in seen and screen.budget.allows(costs):
            seen.add(arch.key)
            group = cheaper if costs.of(cost) < CLEARLY * origin.cost(cost) else others
            group.setdefault(parameter.key, []).append(values)
    return [*islice(_in_turn(cheaper, generator), CHEAPER), *islice(_in_turn(others, generator), OTHERS)]


def small_networks(screen: Screen) -> list[Values]:
    """Points for a task for which no published network fits: ``STARTS`` of every backbone, cheapest first.

    They are random networks within the budget, with the values in ``PLAIN``, from the cheaper part, so that even a
    short run trains several. Under a budget that few of them fit, they are repaired (``search.candidates.repair``).
    """
    space, cost = screen.space, screen.settings.objectives[1]
    generator = np.random.default_rng(screen.settings.seed)
    chosen: list[tuple[float, Values]] = []
    for name in screen.task.backbones:
        drawn = [plain_point(space, name, generator) for _ in range(RANDOM_SAMPLES)]
        fitting = [values for values in drawn if screen.excess(values) <= 0]
        for values in drawn[: FEWEST - len(fitting)] if len(fitting) < FEWEST else ():
            near = repaired(values, screen, generator, {space.decode(other).key for other in fitting})
            fitting += [near] if near is not None else []
        found = [(screen.costs(space.decode(values)).of(cost), values) for values in fitting]
        found.sort(key=lambda pair: pair[0])
        chosen += [found[int(share * len(found))] for share in STARTS if found]
    return [values for _, values in sorted(chosen, key=lambda pair: pair[0])]


def plain_point(space: SearchSpace, name: str, generator: np.random.Generator) -> Values:
    """A random point, with what ``PLAIN`` names as it says."""

    def choose(parameter: Parameter) -> Value:
        wanted = PLAIN.get(parameter.key, parameter.values[:1] if parameter.key == "block" else ())
        plain = [value for value in wanted if value in parameter.values]
        values = plain[:1] or parameter.values
        return values[int(generator.integers(len(values)))]

    return space.fill(choose, {BACKBONE: name})


def _all_others(parameter: Parameter, value: Value) -> Iterator[Value]:
    return (other for other in parameter.values if other != value)


def _in_turn(by_knob: dict[str, list[Values]], generator: np.random.Generator) -> Iterator[Values]:
    """One of every knob, then a second of every knob, until all are out."""
    queues = [[values[index] for index in generator.permutation(len(values))] for values in by_knob.values()]
    for row in zip_longest(*queues):
        yield from (values for values in row if values is not None)
