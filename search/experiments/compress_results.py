"""What each stage of a compression cost and brought: a row a stage, as a table and as facts of the model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from evaluators.compression.int8.costs import int8_costs
from evaluators.costs import Costs, architecture_costs
from latency_tables.tables.table import LatencyTable
from space.architecture import Architecture

GIVEN, PRUNED, TUNED, ROUNDED, INT8_TUNED = ("as given", "pruned", "fine-tuned", "in int8", "trained for int8")


@dataclass(frozen=True)
class StageResult:
    """A network after one stage: ``costs`` in fp32 or, where ``is_int8``, in int8; milliseconds by the table's name.

    ``steps`` and ``train_s`` are those of the stage's own training. ``psnr_db`` and ``ssim`` are means over the
    held-out pictures; in int8, as it is simulated.
    """

    name: str
    is_int8: bool
    costs: Costs
    psnr_db: float
    ssim: float
    steps: int = 0
    train_s: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "costs": self.costs.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> StageResult:
        return cls(**{**data, "costs": Costs.from_dict(data["costs"])})


def stage_costs(
    arch: Architecture,
    size: tuple[int, int],
    table: LatencyTable | None,
    is_int8: bool,
    float_layers: Collection[str] = (),
) -> Costs:
    """At an input of ``size`` (width, height), with milliseconds on ``table``, or on its int8 table."""
    tables = [] if table is None else [table]
    return int8_costs(arch, size, tables, float_layers) if is_int8 else architecture_costs(arch, size, tables)
