"""Latency prediction for networks given in Python."""

from __future__ import annotations

from torch import nn

from latency_tables.lowering.fusion import network_operators
from latency_tables.tables.estimate import Explanation, explain
from latency_tables.tables.table import LatencyTable, load_table
from space.architecture import Architecture
from space.named_network import given_network


def predict(
    network: nn.Module | Architecture | str, table: LatencyTable | str, input_size: tuple[int, int] | None = None
) -> Explanation:
    """Predict the time of one inference, batch 1, with its breakdown.

    Args:
        network: a module that takes an image, an architecture, or the name of a published network.
        table: a latency table, or its name or path (``python -m latency_tables list``).
        input_size: (width, height) in pixels; the network's default if None.

    Raises:
        UserError: the network is unknown or cannot run at this size, or the table lacks one of its operators.

    >>> import latency_tables
    >>> found = latency_tables.predict("s-lwsr16", "pixel4-a76", input_size=(320, 180))
    >>> found.latency.low < found.latency.ms < found.latency.high
    True
    >>> max(found.by_kind, key=found.by_kind.get)
    'conv 3x3'
    """
    own = given_network(network)
    size = input_size or own.input_size
    own.check_size(size)
    operators = network_operators(own.network, own.in_channels, size, own.more_inputs((size,)))
    return explain(load_table(table) if isinstance(table, str) else table, operators)
