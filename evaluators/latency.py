"""Milliseconds of a network on phones, as the latency tables predict them from its operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from latency_tables.lowering.fusion import architecture_operators, network_operators
from latency_tables.tables.estimate import Difference, Latency, difference, predict, workload
from latency_tables.tables.table import LatencyTable
from space.architecture import Architecture
from space.build import build

PREFIX = "latency@"  # of a cost word that means milliseconds on a table


@dataclass(frozen=True, slots=True)
class Milliseconds:
    """Predicted time of one inference on one table, batch 1: 90 % of such predictions lie from ``low`` to ``high``.

    ``origin`` is the worst of the figure's parts (``latency_tables.tables.estimate``).
    """

    ms: float
    low: float
    high: float
    origin: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Milliseconds:
        return cls(**data)


def latency_word(table: str) -> str:
    """The cost word of milliseconds on the table called ``table``."""
    return PREFIX + table


def table_of(word: str) -> str | None:
    """The name of the table in a cost word; None if it means something else than milliseconds."""
    return word.removeprefix(PREFIX) if word.startswith(PREFIX) else None


def ms_text(ms: float) -> str:
    """As many digits as a prediction deserves: ``1,482``, ``98.7``, ``3.42``."""
    return f"{ms:,.{0 if ms >= 100 else 1 if ms >= 10 else 2}f}"


def milliseconds(
    arch: Architecture, input_size: tuple[int, int], tables: Sequence[LatencyTable]
) -> dict[str, Milliseconds]:
    """By table name, the time of ``arch``.

    Raises:
        UserError: it has an operator that a table does not know; the message names both.
    """
    if not tables:
        return {}
    work = workload(architecture_operators(arch, input_size))
    found = ((table.name, predict(table, work)) for table in tables)
    return {name: Milliseconds(figure.ms, figure.low, figure.high, figure.origin) for name, figure in found}


def explained(arch: Architecture, input_size: tuple[int, int], table: LatencyTable) -> Latency:
    """The time of ``arch`` with its shares by operator kind and by part of the network, from a full trace.

    Raises:
        UserError: as ``milliseconds``.
    """
    return predict(table, network_operators(build(arch), arch.shape.in_channels, input_size))


def latency_difference(
    first: Architecture, second: Architecture, input_size: tuple[int, int], table: LatencyTable
) -> Difference:
    """Time of ``second`` minus that of ``first``, in whose band what they share cancels."""
    return difference(table, architecture_operators(first, input_size), architecture_operators(second, input_size))
