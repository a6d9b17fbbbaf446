"""The front as a table, and as files that other programs read."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

from evaluators.atomic import write_atomically
from evaluators.cost import COST_FIELDS
from reports.describe import describe
from reports.quantities import cost_objectives
from reports.ties import tied_with, ties
from search.pareto import front, front_rung
from search.records import RunResult, TrialRecord

COLUMNS = (
    "trial", "source", "on_front", "status", "params", "macs", "peak_activation_bytes", "weight_bytes",
    "psnr_db", "ssim", "gain_db", "rung", "steps", "within_noise_of", "architecture", "description",
)  # fmt: skip


def front_frame(run: RunResult) -> pd.DataFrame:
    """One row per front member and per fixed trial, cheapest first by the first cost asked for.

    ``psnr_db`` is at the front's rung; a fixed trial that has not reached it shows its highest rung, and one that was
    never trained has none. ``gain_db`` is over bicubic. ``within_noise_of`` lists the neighbours on the front whose
    quality the seed noise does not tell apart, separated by blanks. ``architecture`` is the architecture's key.
    """
    members = front(run)
    rung = front_rung(run)
    pairs = ties(members, rung)
    on_front = {trial.trial for trial in members}
    shown = [*members, *(trial for trial in run.trials if trial.is_fixed and trial.trial not in on_front)]
    rows = [_row(trial, rung, trial.trial in on_front, run, tied_with(trial, pairs)) for trial in shown]
    frame = pd.DataFrame(rows, columns=COLUMNS).astype({"rung": "Int64", "steps": "Int64"})
    by_cost = COST_FIELDS[cost_objectives(run.settings)[0].name]
    return frame.sort_values([by_cost, "trial"], ignore_index=True)


def write_front(run: RunResult, folder: Path) -> tuple[Path, Path]:
    """Write ``front.csv`` and ``front.json``: the rows of ``front_frame``, the second with the run's settings."""
    frame = front_frame(run)
    table, record = Path(folder) / "front.csv", Path(folder) / "front.json"
    table.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(table, frame.to_csv(index=False, lineterminator="\n").encode())
    rows = [{name: _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]
    document = {
        "name": run.name,
        "front_rung": front_rung(run),
        "baseline_psnr_db": run.baseline_psnr_db,
        "settings": run.settings.to_dict(),
        "rows": rows,
    }
    write_atomically(record, (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode())
    return table, record


def _row(trial: TrialRecord, rung: int, on_front: bool, run: RunResult, partners: tuple[int, ...]) -> dict[str, Any]:
    result = trial.at_rung(rung) or max(trial.rungs, key=lambda result: result.rung, default=None)
    return {
        "trial": trial.trial,
        "source": trial.source,
        "on_front": on_front,
        "status": trial.status,
        "params": trial.costs.params,
        "macs": trial.costs.macs,
        "peak_activation_bytes": trial.costs.peak_activation_bytes,
        "weight_bytes": trial.costs.weight_bytes,
        "psnr_db": result.psnr_db if result else math.nan,
        "ssim": result.ssim if result else math.nan,
        "gain_db": result.psnr_db - run.baseline_psnr_db if result else math.nan,
        "rung": result.rung if result else None,
        "steps": result.steps if result else None,
        "within_noise_of": " ".join(map(str, partners)),
        "architecture": trial.architecture.key,
        "description": describe(trial.architecture),
    }


def _plain(value: Any) -> Any:
    """``value`` as JSON knows it: no NumPy numbers, and null where there is no value."""
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
