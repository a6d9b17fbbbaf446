"""``report``: write a run's tables, plots and page again."""

from __future__ import annotations

import argparse

from rich.console import Console

from search.cli.output import finish, run_folder


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("report", help="write a run's tables, plots and page again")
    parser.add_argument("run", metavar="RUN", help="a run's folder, or its name in runs/")
    parser.add_argument("--json", action="store_true", help="print the front as JSON")
    parser.set_defaults(execute=execute)


def execute(options: argparse.Namespace) -> int:
    console = Console(stderr=True) if options.json else Console()
    return finish(run_folder(options.run), console, 0, as_json=options.json)
