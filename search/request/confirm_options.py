"""The options of ``confirm``: one list, for the command line and for Python. Does not import torch."""

from __future__ import annotations

from search.request.options import Option

HOW, DATA = "how long and how often", "data and machine"
RUNS_OWN = "default: what the run was given"
CONFIRM_OPTIONS: tuple[Option, ...] = (
    Option("seeds", HOW, "trainings of each network, at least 2 (default: 3)", "N", default="3"),
    Option("steps", HOW, "of each training, such as 2000 or 50k (default: those of the front)", "N"),
    Option("time", HOW, "such as 10m: as many steps as fit, by the time of the run's own steps"),
    Option("members", HOW, "at most so many of the front, evenly from the cheapest to the best (default: all)", "N"),
    Option("train-data", DATA, f"the run's images to train on, if they lie elsewhere now ({RUNS_OWN})", "FOLDER"),
    Option("val-data", DATA, f"the run's images to measure on, if they lie elsewhere now ({RUNS_OWN})", "FOLDER"),
    Option("device", DATA, "cpu, cuda or cuda:N (default: cuda where present)"),
    Option("side-by-side", DATA, "trainings at a time (default: one per core, or 4 on a GPU)", "N"),
)
