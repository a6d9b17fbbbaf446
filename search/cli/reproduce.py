"""``reproduce``: published networks, counted, trained and measured, with the published figures beside ours."""

from __future__ import annotations

import argparse
import json
from itertools import islice
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table

from latency_tables.cli.console import Console
from reports.experiments.reproduction import rows, write_reproduction
from reports.networks.counts import COLUMNS, cells, network_counts
from search.cli.experiments import run_session, session_of
from search.experiments.reproduction import cheapest_first, chosen, trainings
from search.experiments.training import records_in
from search.request.values import task_values
from space.command_line import parse_count
from space.tasks import TASKS
from space.zoo import PublishedNetwork

FOLDER = Path("runs/reproduce")
SHOWN = COLUMNS.index("true G MACs") + 1  # columns in a terminal; all are in `reports.networks.counts`
WIDE = 130  # characters, where the output is no terminal


def execute(options: argparse.Namespace) -> int:
    entries = chosen(options.names, options.task, options.all)
    if options.counts_only:
        return _counts(entries, options.json)
    console = Console(stderr=True) if options.json else Console()
    asked = trainings(
        entries,
        {"scale": options.scale, **task_values(vars(options))},
        options.protocol,
        parse_count("--steps", options.steps, 1),
        parse_count("--seed", options.seed, 0),
        tuple(options.train.split(",")),
        tuple(options.test.split(",")),
    )
    if not options.names:
        asked = cheapest_first(asked)
    outcome, status = run_session(asked, session_of(options, options.out), console)
    if records := records_in(options.out):
        write_reproduction(options.out, records)
        console.print(f"published beside ours: {options.out / 'README.md'}", highlight=False, soft_wrap=True)
    if options.json:
        print(rows(outcome.finished).to_json(orient="records"))
    return status


def _counts(entries: tuple[PublishedNetwork, ...], as_json: bool) -> int:
    counted = [network_counts(entry) for entry in entries]
    if as_json:
        found = {
            each.entry.name: {
                "task": each.entry.task,
                "input": "{}x{}".format(*each.input_size),
                "published_params": each.published_params,
                "params_by_paper_rule": each.rule_params,
                "published_macs": each.published_macs,
                "macs_by_paper_rule": each.rule_macs,
                "rule": each.rule,
                **each.costs.to_dict(),
                "ms": each.ms,
                "approximation": each.entry.approximation,
                "note": each.entry.note,
            }
            for each in counted
        }
        print(json.dumps(found))
        return 0
    console = Console()
    if not console.is_terminal:
        console = Console(width=WIDE)
    for task in dict.fromkeys(each.entry.task for each in counted):
        here = [each for each in counted if each.entry.task == task]
        title = "{}, input {}x{}".format(TASKS[task].title, *here[0].input_size)
        table = Table(title=title, title_justify="left", pad_edge=False, box=SIMPLE_HEAD)
        for index, heading in enumerate(COLUMNS[:SHOWN]):
            table.add_column(heading, no_wrap=index == 0, justify="left" if index == 0 else "right")
        for each in here:
            table.add_row(*islice(cells(each), SHOWN))
        console.print(table)
    return 0
