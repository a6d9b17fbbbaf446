"""``confirm.csv``: a row per network of a run that was trained again with several seeds."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from reports.plotting.text import replace_invalid
from reports.run.confirmed import ConfirmedFront, Repeated, confirmed_front
from search.records import RunResult
from space.errors import UserError
from space.files import write_atomically
from space.text_files import csv_table, read_file

CONFIRM_FILE = "confirm.csv"
FIRST = ("trial", "source", "params")
REST = ("steps", "seeds", "psnr_db", "sd_db", "gain_db", "was_on_front", "on_front", "tied_with")
READ = ("trial", "steps", "seeds", "psnr_db", "sd_db", "was_on_front")  # the rest follows from these and the run
DECIMALS = 5


def confirm_frame(confirmed: ConfirmedFront) -> pd.DataFrame:
    """A row per network, cheapest first by the run's first cost, whose column stands behind ``params``.

    ``psnr_db`` is the mean over ``seeds`` trainings, ``sd_db`` their sample standard deviation, ``gain_db`` is over the
    baseline. ``was_on_front`` is of the run's own front, ``on_front`` of that by the means; ``tied_with`` lists
    neighbours on it, separated by blanks, whose difference is within the noise.
    """
    column = confirmed.cost.key if confirmed.cost.table else confirmed.cost.column
    rows = [
        {
            "trial": each.trial.trial,
            "source": each.trial.source,
            "params": each.trial.costs.params,
            column: confirmed.cost.of(each.trial.costs),
            "steps": each.repeated.steps,
            "seeds": each.repeated.seeds,
            "psnr_db": round(each.repeated.psnr_db, DECIMALS),
            "sd_db": round(each.repeated.sd_db, DECIMALS),
            "gain_db": round(each.gain_db, DECIMALS),
            "was_on_front": each.repeated.was_on_front,
            "on_front": each.on_front,
            "tied_with": " ".join(map(str, each.tied_with)),
        }
        for each in confirmed.networks
    ]
    return pd.DataFrame(rows, columns=list(dict.fromkeys((*FIRST, column, *REST))))


def write_confirmed(confirmed: ConfirmedFront, folder: Path) -> Path:
    """Write ``confirm.csv`` into the run's folder; return its path."""
    path = folder / CONFIRM_FILE
    text = confirm_frame(confirmed).to_csv(index=False, lineterminator="\n")
    write_atomically(path, replace_invalid(text).encode())
    return path


def read_confirmed(run: RunResult, folder: Path) -> ConfirmedFront | None:
    """What ``confirm.csv`` in the run's folder says; None where there is none.

    Raises:
        UserError: it cannot be read, or is not of this run.
    """
    path = folder / CONFIRM_FILE
    if not path.exists():
        return None
    trials, repeated = {trial.trial: trial for trial in run.trials}, []
    for line, row in csv_table(path.name, read_file(path, "a table"), READ):
        try:
            trial = trials[int(row["trial"])]
            sd_db = float(row["sd_db"]) if row["sd_db"] else math.nan
            was_on_front = {"True": True, "False": False}[row["was_on_front"]]
            repeated.append(
                Repeated(trial, int(row["steps"]), int(row["seeds"]), float(row["psnr_db"]), sd_db, was_on_front)
            )
        except (KeyError, ValueError):
            raise UserError(
                f"{path}, line {line}: must be a network of {run.name} as confirm writes it, got something else; "
                "delete the file"
            ) from None
    return confirmed_front(run, repeated) if repeated else None
