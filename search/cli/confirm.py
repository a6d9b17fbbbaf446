"""``confirm``: a run's front again, with several seeds."""

from __future__ import annotations

import argparse
import json
import shlex
import sys

from evaluators.images.names import escaped_name
from latency_tables.cli.console import Console
from reports.run.confirm_files import CONFIRM_FILE
from reports.run.confirm_table import confirm_table
from reports.run.next_steps import run_argument
from search.api.confirming import ConfirmedRun, confirm_for
from search.api.run import load
from search.api.searching import StoppedError
from search.request.confirm_options import CONFIRM_OPTIONS


def execute(options: argparse.Namespace) -> int:
    console = Console(stderr=True) if options.json else Console()
    command = escaped_name("python -m search " + shlex.join(sys.argv[1:]))
    given = {option.key: getattr(options, option.key) for option in CONFIRM_OPTIONS}
    try:
        confirmed = confirm_for(load(options.run), command, given, console, owns_process=True)
    except StoppedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    _show(confirmed, console, options.json)
    return 130 if confirmed.is_interrupted else 1 if confirmed.failed else 0


def _show(confirmed: ConfirmedRun, console: Console, as_json: bool) -> None:
    run, front = confirmed.run, confirmed.front
    if front is not None:
        if as_json:
            print(json.dumps(_figures(confirmed), ensure_ascii=False))
        else:
            console.print()
            console.print(confirm_table(run.result, front))
            console.print()
            for sentence in confirmed.changes:
                console.print(sentence)
        console.print(f"table: {run.folder / CONFIRM_FILE}; page: {run.page}", soft_wrap=True)
    if confirmed.left:
        count = len(confirmed.left)
        console.print(f"{count} training{'s'[: count != 1]} not finished; the same command continues")


def _figures(confirmed: ConfirmedRun) -> dict[str, object]:
    front = confirmed.front
    assert front is not None
    return {
        "run": run_argument(confirmed.run.folder),
        "pooled_sd_db": front.sd_db if front.degrees else None,
        "degrees_of_freedom": front.degrees,
        "networks": json.loads(confirmed.table.to_json(orient="records")),
        "changes": confirmed.changes,
        "left": len(confirmed.left),
        "failed": confirmed.failed,
    }
