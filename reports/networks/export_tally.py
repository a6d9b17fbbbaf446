"""How many networks a format takes, and how exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EXACT = 1e-5  # where the output is an image of 0 to 1: the rounding of float32 in another order

Results = Mapping[str, Mapping[str, Mapping[str, Any]]]  # by format, then by case


@dataclass
class Tally:
    """Networks of one format that have something in common."""

    exact: int = 0
    within: int = 0
    failures: list[str] = field(default_factory=list)

    def add(self, result: Mapping[str, Any]) -> None:
        if result["failure"]:
            self.failures.append(f"{result['case']}: {result['failure']}")
        elif result["largest_error"] <= EXACT:
            self.exact += 1
        else:
            self.within += 1

    @property
    def cell(self) -> str:
        """``12 exact, 1 within, 2 fail``."""
        counts = ((self.exact, "exact"), (self.within, "within"), (len(self.failures), "fail"))
        return ", ".join(f"{count} {word}" for count, word in counts if count) or "–"
