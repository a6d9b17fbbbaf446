"""A small table made up in words, and any part of it changed."""

import numpy as np

from latency_tables.lowering.operators import EngineOperator
from latency_tables.tables.rows import Row
from latency_tables.tables.table import LatencyTable

PROVENANCE = {"repository": "here", "commit": "abc", "licence": "MIT", "conversion": "made up"}
SHAPES = {
    EngineOperator("conv", 18, 32, 8, 16, 4608, kernel=(3, 3)): Row(1.5, "measured", 0.02, "test"),
    EngineOperator("add", 18, 32, 8, 8, 9216): Row(0.25, "measured", 0.05, "test"),
}
CLASSES = {
    ("conv 3x3", "GMAC"): Row(50.0, "fitted", 0.1, "test"),
    ("traffic", "M elements"): Row(1.0, "fitted", 0.5, "test"),
}


def table(**changes) -> LatencyTable:
    described = {
        "name": "t",
        "device": "Phone",
        "soc": "Chip",
        "core": "Cortex",
        "threads": 1,
        "dtype": "fp32",
        "engine": "Engine",
        "engine_version": "1.0",
        "shapes": SHAPES,
        "classes": CLASSES,
        "samples": np.ones((2, 5)),
        "provenance": PROVENANCE,
    }
    return LatencyTable(**{**described, **changes})
