"""The smallest network that exists: what an impossible budget is answered with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from evaluators.cost import COST_FIELDS, Costs, architecture_costs
from search.budget import Budget
from space.architecture import Architecture, IOShape
from space.build import architecture, backbone
from space.errors import UserError
from space.knobs import active


def check_possible(budget: Budget, shape: IOShape, backbones: tuple[str, ...], input_size: tuple[int, int]) -> None:
    """Refuse a budget that no network of the space fits.

    Raises:
        UserError: names the limit, and the smallest network that exists in its quantity.
    """
    for limit in budget.limits:
        arch, costs = smallest(
            lambda costs, limit=limit: float(getattr(costs, COST_FIELDS[limit.quantity])), shape, backbones, input_size
        )
        if limit.excess(costs) > 0:
            least = getattr(costs, COST_FIELDS[limit.quantity])
            unit = "bytes" if limit.quantity in ("memory", "weights") else limit.quantity
            raise UserError(
                f"--budget {limit.text} fits no network; the smallest has {least:,} {unit} "
                f"({arch.backbone}, {arch.settings.width} channels)"
            )
    _, costs = smallest(
        lambda costs: max(limit.excess(costs) / limit.value for limit in budget.limits), shape, backbones, input_size
    )
    if not budget.allows(costs):
        over = ", ".join(f"{getattr(costs, COST_FIELDS[limit.quantity]):,} {limit.quantity}" for limit in budget.limits)
        raise UserError(f"--budget {budget.text} fits no network that was found; the nearest has {over}")


def smallest(
    measure: Callable[[Costs], float], shape: IOShape, backbones: tuple[str, ...], input_size: tuple[int, int]
) -> tuple[Architecture, Costs]:
    """The network with the least ``measure``, by turning one knob at a time until none helps.

    Costs rise with every knob by itself, so that this finds the true minimum of a single quantity.
    """
    found = [_descend(measure, shape, name, input_size) for name in backbones]
    return min(found, key=lambda pair: measure(pair[1]))


def _descend(
    measure: Callable[[Costs], float], shape: IOShape, name: str, input_size: tuple[int, int]
) -> tuple[Architecture, Costs]:
    knobs = backbone(name).knobs
    chosen = _complete(knobs, {})
    best = architecture(shape, name, chosen)
    costs = architecture_costs(best, input_size)
    improved = True
    while improved:
        improved = False
        for knob in knobs:
            for value in knob.values:
                if knob.name not in chosen or chosen[knob.name] == value:
                    continue
                other = _complete(knobs, {**chosen, knob.name: value})
                candidate = architecture(shape, name, other)
                candidate_costs = architecture_costs(candidate, input_size)
                if measure(candidate_costs) < measure(costs):
                    chosen, best, costs, improved = other, candidate, candidate_costs, True
    return best, costs


def _complete(knobs: tuple[Any, ...], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """``wanted`` where a knob applies, its first value where it is missing."""
    chosen: dict[str, Any] = {}
    for knob in active(knobs, chosen):
        chosen[knob.name] = wanted.get(knob.name, knob.values[0])
    return chosen
