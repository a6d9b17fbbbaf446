"""``report``: write a run's tables, plots and page again."""

from __future__ import annotations

import argparse
from pathlib import Path

from evaluators import data
from latency_tables.cli.console import Console
from search.cli.output import finish, run_folder
from search.cli.parser import FRAMES_HELP
from search.run_files import read_run


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("report", help="write a run's tables, plots and page again")
    parser.add_argument("run", metavar="RUN", help="a run's folder, or its name in runs/")
    parser.add_argument("--frames", type=Path, help=FRAMES_HELP)
    parser.add_argument("--json", action="store_true", help="print the front as JSON")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    console = Console(stderr=True) if options.json else Console()
    folder = run_folder(options.run)
    frames = data.frame_pairs(options.frames, read_run(folder).settings.rules) if options.frames else ()
    return finish(folder, console, 0, as_json=options.json, frames=frames)
