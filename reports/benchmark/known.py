"""What the published benchmark tables say of a cheap signal (``reports/published/benchmark``)."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources

from search.records import SHARED, RunSettings
from search.request.request import run_name
from space.text_files import csv_table

SIGNALS_FILE = "signals.csv"
COLUMNS = ("designs", "signal", "count", "tau", "tau_low", "tau_high")


@dataclass(frozen=True)
class KnownSignal:
    """How ``signal`` ranked ``designs`` designs of a table: Kendall's tau with the longest trainings, and its 95 %
    bootstrap interval."""

    signal: str
    designs: int
    tau: float
    low: float
    high: float


def known_signal(settings: RunSettings) -> KnownSignal | None:
    """Of what a run's candidates are ranked by at first; None where no table has it."""
    name = "inherited" if settings.evaluator == SHARED else f"{settings.rungs[0]:,} steps alone"
    path = resources.files("reports").joinpath("published", "benchmark", run_name(settings.rules), SIGNALS_FILE)
    if not path.is_file():
        return None
    for _, row in csv_table(SIGNALS_FILE, path.read_bytes(), COLUMNS):
        if row["designs"] == "all" and row["signal"] == name:
            figures = (float(row[column]) for column in COLUMNS[3:])
            return KnownSignal(name, int(row["count"]), *figures)
    return None
