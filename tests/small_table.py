"""A little latency table of class prices that knows every operator of the space, so that tests need no shipped one."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from latency_tables.lowering.operators import EngineOperator
from latency_tables.tables.classes import cost_class
from latency_tables.tables.rows import Row
from latency_tables.tables.table import TRAFFIC, LatencyTable, write_table

MS_PER_GMAC = {
    EngineOperator("conv", 8, 8, 8, 8, 512): 48.0,
    EngineOperator("conv", 8, 8, 8, 8, 512, kernel=(3, 3)): 60.0,
    EngineOperator("conv", 8, 8, 8, 8, 512, kernel=(5, 5)): 60.0,
    EngineOperator("depthwise_conv", 8, 8, 8, 8, 512, kernel=(3, 3)): 150.0,
    EngineOperator("depthwise_conv", 8, 8, 8, 8, 512, kernel=(5, 5)): 150.0,
    EngineOperator("grouped_conv", 8, 8, 8, 8, 512, kernel=(3, 3), groups=2): 700.0,
    EngineOperator("transposed_conv", 8, 8, 8, 8, 512, kernel=(3, 3)): 90.0,
    EngineOperator("matmul", 8, 8, 8, 8, 512): 50.0,
    EngineOperator("matmul", 8, 1, 64, 8, 1024): 90.0,
}
PRICES = {
    **{(cost_class(operator), "GMAC"): (ms, "fitted") for operator, ms in MS_PER_GMAC.items()},
    (TRAFFIC, "M elements"): (1.2, "traffic-estimate"),
}
RELATIVE_ERROR = {"fitted": 0.1, "traffic-estimate": 0.5}


def write_small_table(
    folder: Path, name: str = "board-x1", scale: float = 1.0, traffic: float = 1.0, **changes: object
) -> Path:
    """Write ``NAME.csv`` and the files beside it; prices are ``scale`` times the above, those of traffic also times
    ``traffic``. ``changes`` are fields of the table, such as ``dtype="int8"``."""
    rows = {
        entry: Row(ms * scale * (traffic if entry[0] == TRAFFIC else 1), origin, RELATIVE_ERROR[origin], "made up")
        for entry, (ms, origin) in PRICES.items()
    }
    noise = np.random.default_rng(0).standard_normal((len(rows), 20))
    samples = np.array([row.latency_ms * (1 + 0.05 * own) for row, own in zip(rows.values(), noise, strict=True)])
    provenance = {
        "repository": "none",
        "commit": "none",
        "licence": "MIT",
        "conversion": "made up for tests",
        "residual": 0.03,
        "held_out": {"lofo_mape": 7.1, "bias": 0.2},
    }
    described = {
        "device": "Board X",
        "soc": "X1",
        "core": "Cortex-X",
        "threads": 1,
        "dtype": "fp32",
        "engine": "Engine",
        "engine_version": "1.0",
        **changes,
    }
    path = folder / f"{name}.csv"
    write_table(path, LatencyTable(name, **described, shapes={}, classes=rows, samples=samples, provenance=provenance))
    return path
