"""The table of a benchmark as it stands, and every signal of it as numbers by design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from evaluators.proxies import PROXIES
from reports.benchmark.surrogate import left_out
from search.experiments import benchmark_inherited as inherited
from search.experiments.benchmark import COSTS, COSTS_FILE, PHONES, QUALITY, QUALITY_FILE
from search.experiments.benchmark_proxies import COLUMNS, PROXIES_FILE
from space.errors import UserError
from space.text_files import csv_table, read_file

TRAINED, COST, PROXY, LEARNT, BANK = "trained alone", "cost", "zero-cost proxy", "surrogate", "shared weights"
TUNED = "shared weights, then alone"


@dataclass(frozen=True)
class Signal:
    """``values`` by design, larger said to be better; ``seconds`` are what one design's takes, where measured."""

    name: str
    kind: str
    values: Mapping[str, float]
    seconds: float | None = None


@dataclass(frozen=True)
class Table:
    """``designs`` and ``quality`` are the CSV files."""

    designs: pd.DataFrame
    quality: pd.DataFrame
    signals: tuple[Signal, ...]

    @property
    def last(self) -> int:
        return int(self.quality["steps"].max())

    @property
    def reference(self) -> Mapping[str, float]:
        """PSNR in dB by design, of seed 0 at the last rung."""
        return _at(self.quality, self.last)

    @property
    def is_random(self) -> Mapping[str, bool]:
        return {str(name): source == "random" for name, source in _pairs(self.designs, "source")}

    @property
    def seed_deviation_db(self) -> float | None:
        """Standard deviation over seeds of the last rung, pooled over the designs that have several; None of none."""
        last = self.quality[self.quality["steps"] == self.last]
        groups = [own["psnr_db"].to_numpy() for _, own in last.groupby("name") if len(own) > 1]
        if not groups:
            return None
        squares = sum(float(((own - own.mean()) ** 2).sum()) for own in groups)
        return float((squares / sum(len(own) - 1 for own in groups)) ** 0.5)


def read_benchmark(folder: Path) -> Table:
    """What ``folder`` holds so far.

    Raises:
        UserError: a table is missing, lacks a column or has text for a number, or nothing is trained yet.
    """
    designs, quality = _read(folder / COSTS_FILE, COSTS), _read(folder / QUALITY_FILE, QUALITY)
    if quality.empty:
        raise UserError(f"{folder / QUALITY_FILE} must hold a finished training, got none yet; continue it first")
    signals = _rungs(quality)
    if (folder / inherited.INHERITED_FILE).exists():
        signals += _inherited(_read(folder / inherited.INHERITED_FILE, inherited.COLUMNS))
    last = _at(quality, int(quality["steps"].max()))
    signals += [*_costs(designs), Signal("surrogate, leave-one-out", LEARNT, left_out(designs, last))]
    if (folder / PROXIES_FILE).exists():
        signals += _proxies(_read(folder / PROXIES_FILE, COLUMNS))
    return Table(designs, quality, tuple(signals))


def _rungs(quality: pd.DataFrame) -> list[Signal]:
    first = quality[quality["seed"] == 0]
    return [
        Signal(
            f"{steps:,} steps alone",
            TRAINED,
            _at(quality, steps),
            float(first[first["steps"] == steps]["train_s"].median()),
        )
        for steps in sorted(set(quality["steps"].astype(int)))[:-1]
    ]


def _costs(designs: pd.DataFrame) -> list[Signal]:
    columns = {"params": "params", "MACs": "macs", f"ms on {PHONES[0]}": f"ms_{PHONES[0]}"}
    return [
        Signal(name, COST, {str(key): float(np.log(value)) for key, value in _pairs(designs, column)})
        for name, column in columns.items()
    ]


def _proxies(table: pd.DataFrame) -> list[Signal]:
    return [Signal(name, PROXY, dict(_pairs(table.dropna(subset=[name]), name))) for name in PROXIES]


def _inherited(table: pd.DataFrame) -> list[Signal]:
    found = []
    for steps in sorted(set(table["steps_after"].astype(int))):
        name = "inherited" + (f" + {steps} steps" if steps else "")
        own, kind = table[table["steps_after"] == steps], TUNED if steps else BANK
        found.append(Signal(name, kind, dict(_pairs(own, "psnr_db")), float(own["seconds"].median())))
    return found


def _at(quality: pd.DataFrame, steps: int) -> dict[str, float]:
    own = quality[(quality["seed"] == 0) & (quality["steps"] == steps)]
    return dict(_pairs(own, "psnr_db"))


def _pairs(table: pd.DataFrame, column: str) -> list[tuple[str, float]]:
    return list(zip(table["name"].tolist(), table[column].tolist(), strict=True))


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    rows = [row for _, row in csv_table(path.name, read_file(path, "a benchmark's table"), columns)]
    table = pd.DataFrame(rows, columns=list(columns))
    texts = {"name", "source", "architecture", "backbone", "commit", "device", "precision", "training", "family"}
    for column in set(columns) - texts:
        try:
            table[column] = pd.to_numeric(table[column])
        except ValueError as error:
            raise UserError(f"{path} must have numbers in the column {column}, got: {error}") from None
    return table
