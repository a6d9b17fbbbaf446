"""What a model costs: the input that its costs are stated for, and the counts."""

from __future__ import annotations

from collections.abc import Sequence

from evaluators.costs import Costs, architecture_costs, network_costs
from latency_tables.tables.table import LatencyTable
from search.models.model import Model
from space.named_network import given_network
from space.tasks import TASKS


def input_of(model: Model) -> tuple[int, tuple[int, int]]:
    """Channels of the input, and the (width, height) for which costs are stated."""
    if model.rules is not None:
        return model.rules.shape.in_channels, TASKS[model.rules.task].input_sizes[model.rules.scale]
    own = given_network(model.network if model.architecture is None else model.architecture)
    about = model.facts.get("input") or {}
    width, height = about.get("size") or own.input_size
    return int(about.get("channels") or own.in_channels), (width, height)


def model_costs(model: Model, input_size: tuple[int, int] | None = None, tables: Sequence[LatencyTable] = ()) -> Costs:
    """In its deploy form, batch 1, fp32, at ``input_size`` or the one of ``input_of``.

    Raises:
        UserError: it cannot run at this size, or a table lacks one of its operators.
    """
    channels, own_size = input_of(model)
    size = input_size or own_size
    if model.architecture is not None:
        return architecture_costs(model.architecture, size, tables)
    return network_costs(model.network, size, channels, tables=tables)
