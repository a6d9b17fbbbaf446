"""The published measurements: whole networks, TensorFlow Lite 2.10, batch 1, on pinned core sets of six phones."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from latency_tables.fitting.source import MEASUREMENTS


@dataclass(frozen=True, slots=True)
class CoreSet:
    """What one line of measurements was taken on; ``table`` is the name of its latency table."""

    table: str
    device: str
    soc: str
    core: str
    threads: int
    dtype: str

    @property
    def clock_ghz(self) -> float:
        """The first core's clock, as the authors give it."""
        return float(re.findall(r"([\d.]+) ?GHz", self.core)[0])

    @property
    def core_text(self) -> str:
        """``Kryo 485 Gold Prime (Cortex-A76 class) 2.84 GHz``; with the number of cores if there are several."""
        return self.core.removeprefix("1x ").replace("GHz", " GHz")


@dataclass(frozen=True)
class Measurements:
    """``latency_ms`` has a row per core set and a column per network: means of repeated runs, batch 1, 224x224."""

    core_sets: tuple[CoreSet, ...]
    networks: tuple[str, ...]
    latency_ms: np.ndarray

    def index(self, table: str) -> int:
        return [core_set.table for core_set in self.core_sets].index(table)


@lru_cache(maxsize=1)
def measurements() -> Measurements:
    """All core sets, cores of two kinds included, which help to fit what the sets have in common."""
    with MEASUREMENTS.open(encoding="utf-8", newline="") as file:
        header, *lines = csv.reader(file)
    core_sets = tuple(
        CoreSet(table, device, soc, core, int(threads), dtype) for table, device, soc, core, threads, dtype, *_ in lines
    )
    return Measurements(core_sets, tuple(header[6:]), np.array([line[6:] for line in lines], dtype=float))
