"""The smallest network of a search space: the answer to an impossible budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import product
from math import gcd, inf

from evaluators.compression.compression import FP32, INT8
from evaluators.compression.int8.costs import int8_costs
from evaluators.costs import Costs, architecture_costs
from evaluators.quantities import ms_text, quantity
from latency_tables.tables.estimate import MissingOperatorError
from latency_tables.tables.table import LatencyTable
from search.request.budget import Budget, Limit
from space.architecture import Architecture
from space.command_line import SMALLEST_PX
from space.errors import UserError
from space.knobs import Value
from space.search_space import BACKBONE, SearchSpace, Values, first

MULTIPLE_PX = 8  # sides of an input that is proposed are multiples of this, if one fits


def check_possible(
    budget: Budget,
    space: SearchSpace,
    input_size: tuple[int, int],
    tables: Sequence[LatencyTable] = (),
    dtype: str = FP32,
) -> None:
    """Check that some network of ``space``, in ``dtype``, fits the budget; ``tables`` are those that it names.

    Raises:
        UserError: none does; the message names the limit and the smallest network in that quantity.
    """

    @cache
    def price(arch: Architecture) -> Costs:
        return (int8_costs if dtype == INT8 else architecture_costs)(arch, input_size, tables)

    def fits(arch: Architecture) -> bool:
        try:
            return budget.allows(price(arch))
        except MissingOperatorError:
            return False

    if any(fits(_start(space, name)) for name in space.task.backbones):
        return  # as nearly always: what is smallest is not asked
    for limit in budget.limits:
        arch, costs = smallest(limit.excess, space, price, enough=0)
        if limit.excess(costs) > 0:
            raise UserError(
                f"--budget {limit.text} fits no network; the smallest {_least(costs, limit.quantity)} "
                f"({arch.backbone}{_channels(arch)}){_remedy(limit, arch, input_size, tables)}"
            )
    if len(budget.limits) == 1:
        return

    def most_over(costs: Costs) -> float:
        return max(limit.excess(costs) / limit.value for limit in budget.limits)

    _, costs = smallest(most_over, space, price, enough=0)
    if not budget.allows(costs):
        over = ", ".join(quantity(limit.quantity).exact_text(costs) for limit in budget.limits)
        raise UserError(f"--budget {budget.text} fits no network that was found; the closest has {over}")


def _remedy(limit: Limit, arch: Architecture, input_size: tuple[int, int], tables: Sequence[LatencyTable]) -> str:
    """The largest ``--input`` of these proportions at which ``arch``, the smallest network, fits; none where no input
    makes it fit, as of a limit that does not depend on it."""
    whole = gcd(*input_size)
    unit = (input_size[0] // whole, input_size[1] // whole)

    def fits(times: int) -> bool:
        size = (times * unit[0], times * unit[1])
        return limit.excess(architecture_costs(arch, size, tables)) <= 0

    for step in (MULTIPLE_PX, 1):
        low, high = -(-SMALLEST_PX // (min(unit) * step)), -(-whole // step)
        if low >= high or not fits(low * step):
            continue
        while high - low > 1:  # costs rise with the input: the sizes that fit are the smaller ones
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle * step) else (low, middle)
        return f"; it fits at --input {low * step * unit[0]}x{low * step * unit[1]}"
    return ""


def _channels(arch: Architecture) -> str:
    width = getattr(arch.settings, "width", None)
    return f", {width} channels" if isinstance(width, int) else ""


def _least(costs: Costs, key: str) -> str:
    meant = quantity(key)
    if meant.table is None:
        return f"has {meant.exact_text(costs)}"
    figure = costs.latency[meant.table]
    return f"takes {ms_text(figure.ms)} ms (90 %: {ms_text(figure.low)} to {ms_text(figure.high)}) on {meant.table}"


def smallest(
    measure: Callable[[Costs], float], space: SearchSpace, price: Callable[[Architecture], Costs], enough: float = -inf
) -> tuple[Architecture, Costs]:
    """The network with the smallest ``measure``, by coordinate descent: one knob at a time until none helps.

    Costs are monotone in every knob, so this finds the true minimum of a single quantity. Networks that cannot be
    priced are passed over. The first one of at most ``enough`` ends the descent.

    Raises:
        MissingOperatorError: none can be priced.
    """

    def measured(arch: Architecture) -> float:
        try:
            return measure(price(arch))
        except MissingOperatorError:
            return inf

    ends: list[Architecture] = []
    for name in space.task.backbones:
        ends.append(_descend(measured, space, name, enough))
        if measured(ends[-1]) <= enough:
            break
    least = min(ends, key=measured)
    return least, price(least)


def _start(space: SearchSpace, name: str) -> Architecture:
    """The network of a backbone with the first value of every knob, which is hardly larger than its smallest."""
    return space.decode(space.fill(first, {BACKBONE: name}))


def _descend(measured: Callable[[Architecture], float], space: SearchSpace, name: str, enough: float) -> Architecture:
    values = space.fill(first, {BACKBONE: name})
    best = space.decode(values)
    least = measured(best)
    improved = True
    while improved:
        improved = False
        for parameter in space.of(name):
            for value in parameter.values:
                if values.get(parameter.key, value) == value:
                    continue
                for other in _turned(space, values, parameter.key, value):
                    if least <= enough:
                        return best
                    candidate = space.decode(other)
                    reached = measured(candidate)
                    if reached < least:
                        values, best, least, improved = other, candidate, reached, True
    return best


def _turned(space: SearchSpace, values: Values, key: str, value: Value) -> Iterator[Values]:
    """``values`` with one knob at ``value``, and what comes to apply by that at each of its values."""
    turned = space.turned(values, key, value)
    new = [parameter for parameter in space.of(str(values[BACKBONE])) if parameter.key in turned.keys() - values.keys()]
    for chosen in product(*(parameter.values for parameter in new)):
        yield space.fill(first, turned | {each.key: at for each, at in zip(new, chosen, strict=True)})
