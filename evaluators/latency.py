"""Milliseconds of a network on phones, as the latency tables predict them from its operators."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from latency_tables.lowering.fusion import architecture_operators, network_operators
from latency_tables.lowering.operators import EngineOperator
from latency_tables.tables.estimate import Difference, Explanation, Latency, difference, estimate, explain, workload
from latency_tables.tables.table import LatencyTable
from space.architecture import Architecture
from space.build import build


def latencies(operators: Iterable[EngineOperator], tables: Sequence[LatencyTable]) -> dict[str, Latency]:
    """By table name, the time of a network of ``operators``, which are counted once for all tables.

    Raises:
        UserError: a table does not know one of them; the message names both.
    """
    work = workload(operators)
    return {table.name: estimate(table, work) for table in tables}


def explained(arch: Architecture, input_size: tuple[int, int], table: LatencyTable) -> Explanation:
    """The time of ``arch`` with its shares by operator kind and by part of the network, from a full trace.

    Raises:
        UserError: it has an operator that the table does not know.
    """
    return explain(table, network_operators(build(arch), arch.shape.in_channels, input_size))


def latency_difference(
    first: Architecture, second: Architecture, input_size: tuple[int, int], table: LatencyTable
) -> Difference:
    """Time of ``second`` minus that of ``first``, in whose band what they share cancels."""
    return difference(table, architecture_operators(first, input_size), architecture_operators(second, input_size))
