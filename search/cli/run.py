"""``run``: search, show progress, and leave the front with weights, plots and a page."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from evaluators.data import rules_of_folders
from evaluators.images.names import printable
from evaluators.latency import latency_word
from evaluators.tasks import rules_from_words
from latency_tables.cli.console import Console
from latency_tables.table import table_names
from search.api.searching import StoppedError, search_for
from search.budget import Budget, parse_budget
from search.cli.options.run import DEFAULT_OBJECTIVE, DEFAULT_TIME
from search.cli.output import show
from search.cli.parser import (
    check_needed,
    parse_input,
    parse_networks,
    parse_objectives,
    parse_processes,
    parse_rungs,
    parse_tables,
    parse_time,
    run_name,
    task_words,
    written_folder,
)
from search.latency import TableUse, check_measured, tables_of
from search.samplers import sampler
from search.session import Request, default_workers
from space.command_line import parse_count
from space.errors import UserError
from space.tasks import task

RUNS = Path("runs")


def request_from(options: argparse.Namespace) -> Request:
    """Everything the options ask for, checked one by one.

    Raises:
        UserError: the first option that cannot be understood.
    """
    wanted = task(options.task)
    scale = wanted.default_scale if options.scale is None else parse_count("--scale", options.scale, 1)
    rules = rules_from_words(wanted.name, scale, task_words(options))
    budget = parse_budget(options.budget)
    sampler(options.sampler, 0)
    if options.device in table_names():
        raise UserError(
            f"--device of run must be where it trains (cpu, cuda or cuda:N), got the latency table {options.device}; "
            f"for milliseconds on it: --latency {options.device}, or a limit such as 1300ms@{options.device}"
        )
    objectives, tables = _objectives_and_tables(options, budget)
    time_text = options.time or (None if options.trials else DEFAULT_TIME)
    named = rules_of_folders(rules, options.train_data, options.val_data)
    check_needed(options, named)
    name = f"{run_name(named)}-{budget.text.replace(',', '_')}"
    return Request(
        task=wanted,
        rules=rules,
        budget=budget,
        objectives=objectives,
        input_size=parse_input(options.input, wanted, scale),
        sampler=options.sampler,
        seed=parse_count("--seed", options.seed, 0),
        folder=written_folder("--run-dir", options.run_dir or RUNS / name),
        time_s=parse_time(time_text) if time_text else None,
        trials=parse_count("--trials", options.trials, 1) if options.trials else None,
        workers=(
            default_workers(options.device)
            if options.workers is None
            else parse_processes("--workers", options.workers)
        ),
        rungs=parse_rungs(options.rungs) if options.rungs else None,
        train_folder=options.train_data,
        val_folder=options.val_data,
        frames_folder=options.frames,
        device=options.device,
        precision=options.precision,
        command=printable("python -m search " + shlex.join(sys.argv[1:])),
        tables=tables,
        networks=parse_networks(options.networks, rules) if options.networks is not None else (),
        has_default_objective=options.objective is None,
        specialists=parse_count("--specialists", options.specialists, 1) if options.specialists else None,
    )


def _objectives_and_tables(options: argparse.Namespace, budget: Budget) -> tuple[tuple[str, ...], tuple[TableUse, ...]]:
    """The objectives, and every latency table that budget, objectives or ``--latency`` name."""
    limited = tables_of("--budget", budget.sources)
    check_measured("--budget", (limit.quantity for limit in budget.limits), limited)
    if options.objective is None and limited:
        objectives, sources = ("psnr", *(latency_word(table.name) for table in limited)), ()
    else:
        objectives, sources = parse_objectives(options.objective or DEFAULT_OBJECTIVE)
        check_measured("--objective", objectives, tables_of("--objective", sources))
    shown = parse_tables("--latency", options.latency) if options.latency else ()
    tables_of("--latency", shown)
    return objectives, tables_of("--budget, --objective and --latency", (*budget.sources, *sources, *shown))


def execute(options: argparse.Namespace) -> int:
    console = Console(stderr=True) if options.json else Console()
    try:
        run = search_for(request_from(options), console, owns_process=True)
    except StoppedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return show(run, console, 130 if run.state == "interrupted" else 0, as_json=options.json)
