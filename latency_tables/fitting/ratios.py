"""Prices of operators that no published network has, from cost ratios to operators that the networks do have.

The ratios were measured on another machine in the same engine, with the kernels that the phones' measurements show
(TensorFlow Lite's own, not XNNPACK's: narrow windows and groups are expensive). A ratio from a different kind of
processor is only a hint: such rows have the origin ``traffic-estimate`` and a wide error.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from latency_tables.fitting.source import DATA

RATIOS = DATA / "operator_ratios.csv"
PASS = "pass"
COLUMNS = ("dtype", "class", "per", "reference", "ratio", "relative_error", "source")
# The rows of a fitted table that a reference is: the geometric mean of sums of rows.
REFERENCES: Mapping[str, tuple[tuple[tuple[str, str], ...], ...]] = {
    # A pass over activations larger than a cache, per million elements read and written.
    PASS: ((("elementwise", "M elements"), ("elementwise", "M elements beyond cache")),),
    "MAC": ((("conv larger", "GMAC in tiles"),),),
    "window": ((("conv larger", "M window elements"),),),
    # Other instructions decide (exponentials, address arithmetic): processors differ in those by something between what
    # they differ by in bandwidth and in multiply-adds.
    "work": (
        (("elementwise", "M elements"), ("elementwise", "M elements beyond cache")),
        (("conv larger", "GMAC in tiles"),),
    ),
}


@dataclass(frozen=True, slots=True)
class Ratio:
    """A unit of the term ``per`` of class ``name`` costs ``ratio`` units of ``reference``.

    ``relative_error`` is half the expected 90 % band on a phone, divided by the ratio.
    """

    dtype: str
    name: str
    per: str
    reference: str
    ratio: float
    relative_error: float
    source: str


@lru_cache(maxsize=1)
def ratios() -> tuple[Ratio, ...]:
    """The shipped ratios; ``python -m latency_tables.fitting.measure_ratios`` measures them again."""
    with RATIOS.open(encoding="utf-8", newline="") as file:
        return tuple(
            Ratio(
                row["dtype"],
                row["class"],
                row["per"],
                row["reference"],
                float(row["ratio"]),
                float(row["relative_error"]),
                row["source"],
            )
            for row in csv.DictReader(file)
        )
