"""The front as a table, and as files that other programs read."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from evaluators.quantities import QUANTITIES
from evaluators.tasks import TaskRules, rules_of
from reports.plotting.text import replace_invalid
from reports.run.describe import describe_design
from reports.run.exports import exports_of
from reports.run.quantities import cost_objectives
from reports.run.ties import same_time, tied_with, ties
from search.pareto import front, front_rung
from search.records import RunResult, TrialRecord
from space.architecture import Architecture
from space.build import architecture_from_dict
from space.errors import UserError, first_line
from space.files import write_atomically

FRONT_VERSION = 2  # of front.json; 1, which did not say so, had no architectures
COLUMNS = (
    "trial",
    "source",
    "approximation",
    "parent",
    "pruned",
    "dtype",
    "taught_by",
    "on_front",
    "status",
    *(each.column for each in QUANTITIES.values()),
    "psnr_db",
    "ssim",
    "gain_db",
    "rung",
    "steps",
    "within_noise_of",
    "exports",
    "architecture",
    "description",
)
LATENCY_COLUMNS = ("ms", "ms_low", "ms_high", "ms_origin", "ms_tied_with")  # each followed by @TABLE
BEFORE_TIMES, BEFORE_OTHERS = COLUMNS.index("psnr_db"), COLUMNS.index("rung")


def columns(run: RunResult) -> tuple[str, ...]:
    """``COLUMNS`` with those of every latency table of the run (``ms@pixel4-a76``, ``ms_low@pixel4-a76``, ...) and of
    the task's further figures (``psnr_of_the_whole_picture_db``)."""
    times = tuple(f"{name}@{use.name}" for use in run.settings.tables for name in LATENCY_COLUMNS)
    others = map(other_column, other_figures(run))
    costs, quality, rest = COLUMNS[:BEFORE_TIMES], COLUMNS[BEFORE_TIMES:BEFORE_OTHERS], COLUMNS[BEFORE_OTHERS:]
    return (*costs, *times, *quality, *others, *rest)


def other_figures(run: RunResult) -> tuple[str, ...]:
    """Names of the task's further figures (``TaskRules.other_metrics``) that the run has measured."""
    return tuple(dict.fromkeys(name for trial in run.trials for result in trial.rungs for name in result.others_db))


def other_column(figure: str) -> str:
    """The column of a further figure: its name in small letters, joined by ``_``, and ``_db``."""
    return "_".join(re.findall(r"\w+", figure.lower())) + "_db"


def front_frame(run: RunResult) -> pd.DataFrame:
    """One row per front member and per fixed trial, cheapest first by the first cost asked for.

    ``psnr_db`` is at the front's rung; a fixed trial that has not reached it shows its highest rung, and one that was
    never trained has none; so it is with the task's further figures. ``parent`` is the trial that a compressed one was
    made of, ``dtype`` the number format of its costs and its quality. ``gain_db`` is over the baseline.
    ``within_noise_of`` lists neighbours on the front whose quality the seed noise does not tell apart, separated by
    blanks; ``exports`` the formats that take the network (``reports.run.exports``). ``architecture`` is the
    architecture's key. ``approximation`` marks fixed trials that stand for a network that its paper does not determine.

    For every latency table of the run there are milliseconds, the ends of their 90 % band, their worst origin, and the
    neighbours on the front, by those milliseconds, whose time the table does not tell apart; "unknown" where the table
    has changed since.
    """
    members = front(run)
    rung = front_rung(run)
    pairs = ties(members, rung)
    on_front = {trial.trial for trial in members}
    shown = [*members, *_published(run, members)]
    rows = [_row(trial, rung, trial.trial in on_front, run, tied_with(trial, pairs)) for trial in shown]
    for use in run.settings.tables:
        same = same_time(run, use.name, members)
        for trial, row in zip(shown, rows, strict=True):
            row.update(_times(trial, use.name, "unknown" if same is None else _numbers(tied_with(trial, same))))
    frame = pd.DataFrame(rows, columns=columns(run)).astype(dict.fromkeys(("rung", "steps", "parent"), "Int64"))
    return frame.sort_values([cost_objectives(run.settings)[0].column, "trial"], ignore_index=True)


def _published(run: RunResult, members: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The fixed trials that are not ``members``; of one that several generations have, the last that was trained."""
    found: dict[str, TrialRecord] = {}
    for trial in run.trials:
        if trial.is_fixed and (trial.rungs or trial.source not in found):
            found[trial.source] = trial
    there = {member.source for member in members if member.is_fixed}
    return [trial for source, trial in found.items() if source not in there]


def write_front(run: RunResult, folder: Path, name: str = "front") -> tuple[Path, Path]:
    """Write ``front.csv`` and ``front.json``, or under another ``name``: the rows of ``front_frame``; the second with
    the run's settings and the rows' architectures by their keys, from which ``read_front`` builds them again."""
    frame = front_frame(run)
    table, record = Path(folder) / f"{name}.csv", Path(folder) / f"{name}.json"
    table.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(table, replace_invalid(frame.to_csv(index=False, lineterminator="\n")).encode())
    rows = [{name: _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]
    by_number = {trial.trial: trial for trial in run.trials}
    document = {
        "version": FRONT_VERSION,
        "name": run.name,
        "front_rung": front_rung(run),
        "baseline_psnr_db": run.baseline_psnr_db,
        "baseline_others_db": run.baseline_others_db,
        "classical_baselines_db": run.classical_baselines_db,
        "settings": run.settings.to_dict(),
        "rows": rows,
        "architectures": {each.key: each.to_dict() for each in (by_number[row["trial"]].architecture for row in rows)},
    }
    write_atomically(record, (replace_invalid(json.dumps(document, indent=1, ensure_ascii=False)) + "\n").encode())
    return table, record


def read_front(path: Path | str) -> tuple[TaskRules, dict[int, Architecture]]:
    """The task and, by trial, the networks of a ``front.json``, in its order; ``space.build`` builds them.

    Raises:
        UserError: it cannot be read, or is an older one, which has no architectures.
    """
    try:
        document = json.loads(Path(path).read_text("utf-8"))
        if document.get("version", 1) != FRONT_VERSION:
            raise UserError(f"version {document.get('version', 1)}; write it again: python -m search report RUN")
        settings = document["settings"]
        rules = rules_of(settings["task"], settings["scale"], settings["options"])
        known = {key: architecture_from_dict(stored) for key, stored in document["architectures"].items()}
        return rules, {row["trial"]: known[row["architecture"]] for row in document["rows"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} must be a front.json of version {FRONT_VERSION}, got {first_line(error)}") from None


def _row(trial: TrialRecord, rung: int, on_front: bool, run: RunResult, partners: tuple[int, ...]) -> dict[str, Any]:
    result = trial.at_rung(rung) or max(trial.rungs, key=lambda result: result.rung, default=None)
    return {
        "trial": trial.trial,
        "source": trial.source,
        "approximation": trial.approximation,
        "parent": trial.parent,
        "pruned": trial.compression.pruned,
        "dtype": trial.compression.dtype,
        "taught_by": trial.compression.taught_by,
        "on_front": on_front,
        "status": trial.status,
        **{each.column: each.of(trial.costs) for each in QUANTITIES.values()},
        "psnr_db": result.psnr_db if result else math.nan,
        "ssim": result.ssim if result else math.nan,
        "gain_db": result.psnr_db - run.baseline_psnr_db if result else math.nan,
        **{other_column(name): value for name, value in (result.others_db if result else {}).items()},
        "rung": result.rung if result else None,
        "steps": result.steps if result else None,
        "within_noise_of": _numbers(partners),
        "exports": " ".join(exports_of(trial.architecture)),
        "architecture": trial.architecture.key,
        "description": describe_design(trial),
    }


def _times(trial: TrialRecord, table: str, partners: str) -> dict[str, Any]:
    figure = trial.costs.latency.get(table)
    values = (figure.ms, figure.low, figure.high, figure.origin) if figure else (math.nan, math.nan, math.nan, "")
    return {f"{name}@{table}": value for name, value in zip(LATENCY_COLUMNS, (*values, partners), strict=True)}


def _numbers(trials: tuple[int, ...]) -> str:
    return " ".join(map(str, trials))


def _plain(value: Any) -> Any:
    """``value`` as JSON knows it: no NumPy numbers, and null where there is no value."""
    if pd.isna(value):
        return None
    return value.item() if hasattr(value, "item") else value
