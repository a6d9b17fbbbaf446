"""``Compression``: how a design is made cheaper beside its architecture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from space.errors import UserError

FP32, INT8 = "fp32", "int8"
PRUNE, DISTIL = "prune", "distil"
STEPS = (PRUNE, INT8, DISTIL)
"""What a design can be compressed by, in the order in which a search tries them."""


@dataclass(frozen=True, slots=True)
class Compression:
    """A value beside an ``Architecture``; the two together are a design.

    The channels that pruning left are the architecture's own ``widths``; ``pruned`` is the share that was to go.
    ``dtype`` is the number format of weights and values, and ``float_layers`` are the paths of modules that compute in
    float all the same. ``taught_by`` says which network a distilled one was trained with.
    """

    pruned: float = 0.0
    dtype: str = FP32
    float_layers: tuple[str, ...] = ()
    taught_by: str = ""

    def __post_init__(self) -> None:
        if self.dtype not in (FP32, INT8):
            raise UserError(f"number format must be {FP32} or {INT8}, got {self.dtype!r}")

    @property
    def words(self) -> str:
        """``50 % pruned, int8``; empty of a design that is not compressed."""
        parts = [
            f"{100 * self.pruned:.0f} % pruned" if self.pruned else "",
            f"taught by {self.taught_by}" if self.taught_by else "",
            INT8 if self.dtype == INT8 else "",
            f"{count} layer{'s'[: count > 1]} in float" if (count := len(self.float_layers)) else "",
        ]
        return ", ".join(filter(None, parts))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Compression:
        return cls(**{**data, "float_layers": tuple(data.get("float_layers", ()))})


UNCOMPRESSED = Compression()
