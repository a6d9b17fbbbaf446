"""``report``: write a run's tables, plots and page again."""

from __future__ import annotations

import argparse

from evaluators import data
from latency_tables.cli.console import Console
from search.cli.output import finish, run_folder
from search.run_files import read_run


def execute(options: argparse.Namespace) -> int:
    console = Console(stderr=True) if options.json else Console()
    folder = run_folder(options.run)
    frames = data.frame_pairs(options.frames, read_run(folder).settings.rules) if options.frames else ()
    return finish(folder, console, 0, as_json=options.json, frames=frames)
