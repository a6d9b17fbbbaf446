"""``report``: write a run's tables, plots and page again."""

from __future__ import annotations

import argparse

from latency_tables.cli.console import Console
from search.api.run import load
from search.cli.output import show


def execute(options: argparse.Namespace) -> int:
    run = load(options.run)
    if run.trained:
        run.report(options.frames)
    return show(run, Console(stderr=True) if options.json else Console(), 0, as_json=options.json)
