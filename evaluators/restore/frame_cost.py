"""What a whole frame costs on a phone: its tiles, halo included, on latency tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from evaluators.restore.plan import Planner
from evaluators.restore.tile_plan import TilePlan
from latency_tables.lowering.fusion import network_operators
from latency_tables.tables.estimate import MissingOperatorError, explain
from latency_tables.tables.table import LatencyTable


@dataclass(frozen=True)
class FrameCost:
    """A frame's tiles and milliseconds.

    ``ms`` maps a table to (milliseconds, low and high end of the 90 % band), tiles one after the other; ``refused`` to
    the reason why there are none. ``halo_share`` is the part of the work that is done for halos.
    """

    plan: TilePlan
    ms: Mapping[str, tuple[float, float, float]]
    refused: Mapping[str, str]

    @property
    def halo_share(self) -> float:
        return 1 - 1 / (1 + self.plan.overhead)


def frame_cost(
    network: nn.Module, in_channels: int, frame: tuple[int, int], tables: Mapping[str, LatencyTable], memory_bytes: int
) -> FrameCost:
    """The cost of a (width, height) frame through ``network``, in tiles that take at most ``memory_bytes``.

    Raises:
        UserError: the memory is too little, or the network is refused.
    """
    plan = Planner(network, in_channels).plan(frame, memory_bytes, tiled_anyway=True)
    operators = {size: network_operators(network, in_channels, size) for size in plan.window_shapes}
    ms: dict[str, tuple[float, float, float]] = {}
    refused: dict[str, str] = {}
    for name, table in tables.items():
        total = (0.0, 0.0, 0.0)
        try:
            for size, count in plan.window_shapes.items():
                latency = explain(table, operators[size]).latency
                total = (total[0] + count * latency.ms, total[1] + count * latency.low, total[2] + count * latency.high)
        except MissingOperatorError as error:
            refused[name] = str(error)
        else:
            ms[name] = total
    return FrameCost(plan, ms, refused)
