"""``run``: search, show progress, and leave the front with weights, plots and a page."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from evaluators.data import rules_of_folders
from evaluators.images.names import escaped_name
from evaluators.quantities import latency_word
from evaluators.tasks import rules_from_text
from latency_tables.cli.console import Console
from latency_tables.tables.table import table_names
from search.budget import Budget, parse_budget
from search.cli.interrupts import noted_interrupts
from search.cli.options.run import DEFAULT_OBJECTIVE, DEFAULT_TIME
from search.cli.output import finish
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
from search.durations import duration_text
from search.fixed_trials import base_name, fixed_trials
from search.latency import TableUse, check_measured, tables_of
from search.progress import progress_for
from search.proposers import proposer
from search.session import Request, Session, default_workers
from space.command_line import parse_count
from space.errors import UserError
from space.logs import LOG_FILE
from space.tasks import task

RUNS = Path("runs")


def request_from(options: argparse.Namespace) -> Request:
    """Everything the options ask for, checked one by one.

    Raises:
        UserError: the first option that cannot be understood.
    """
    wanted = task(options.task)
    scale = wanted.default_scale if options.scale is None else parse_count("--scale", options.scale, 1)
    rules = rules_from_text(wanted.name, scale, task_words(options))
    budget = parse_budget(options.budget)
    proposer(options.sampler)
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
        command=escaped_name("python -m search " + shlex.join(sys.argv[1:])),
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
    session = Session(request_from(options))
    request = session.request
    console = Console(stderr=True) if options.json else Console()
    console.print(_understood(session), highlight=False)

    if session.is_finished:
        console.print("This run is finished; a longer --time or more --trials continues it.")
        status = 0
    else:
        with noted_interrupts() as interrupted, progress_for(console, session.settings) as listener:
            problem = session.search(listener, interrupted)
        status = 130 if interrupted() else 1 if problem else 0
        if problem:
            print(
                f"error: stopped: {problem}; no finished trial is lost, and the same command continues (more in "
                f"{request.folder / LOG_FILE})",
                file=sys.stderr,
            )
            return status
    return finish(request.folder, console, status, as_json=options.json, session=session)


def _understood(session: Session) -> str:
    request, settings = session.request, session.settings
    width, height = request.input_size
    limits = " and ".join(
        filter(
            None,
            (
                duration_text(request.time_s) if request.time_s else "",
                f"{request.trials} networks" if request.trials else "",
            ),
        )
    )
    beside = _beside(session)
    times = "".join(f"  milliseconds on {table.name}: predicted for {table.caption}\n" for table in request.tables)
    note = f"  {session.precision_note}\n" if session.precision_note else ""
    levels = (
        f"  up to {settings.specialists} networks share the noise levels, chosen by a picture's known level "
        "(--specialists 1: one for all)\n"
        if settings.specialists > 1
        else ""
    )
    overlap = (
        f"  warning: {settings.overlap}; what is measured says nothing of new pictures (other --val-data)\n"
        if settings.overlap
        else ""
    )
    return (
        f"{request.task.title} ({settings.rules.title}) under {request.budget.text}, "
        f"objectives {', '.join(request.objectives)}"
        f"{' (the default)' * request.has_default_objective}, for {limits}\n"
        f"  costs at an input of {width}x{height}, fp32; sampler {request.sampler}, seed {request.seed}, "
        f"{request.workers} worker{'s' * (request.workers > 1)}\n"
        f"{beside}"
        f"{times}{levels}"
        f"  training in {session.precision.word} ({session.precision.reason})\n"
        f"{note}"
        f"  training on {settings.train_data}; measuring on {settings.val_data}\n"
        f"{overlap}"
        f"  run folder {request.folder}"
    )


def _beside(session: Session) -> str:
    """Which published networks are trained under the same protocol, and which were asked for in vain."""
    request = session.request
    trials = list(fixed_trials(request.task, session.settings, request.budget))
    names = dict.fromkeys(base_name(record.source) for record in trials if record.status != "failed")
    left_out = [name for name in request.networks if name not in {base_name(record.source) for record in trials}]
    lines = [f"beside the search: {', '.join(names)}"] if names else []
    lines += [f"over the budget, so not trained: {', '.join(left_out)}"] if left_out else []
    return "".join(f"  {line}\n" for line in lines)
