"""``run``: search, show progress, and leave the front with weights, plots and a page."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from evaluators.latency import latency_word
from evaluators.tasks import rules_from_words
from evaluators.training.precision import PRECISION_HELP
from latency_tables.table import table_names
from search.budget import Budget, parse_budget
from search.cli.interrupts import noted_interrupts
from search.cli.output import finish
from search.cli.parser import (
    FRAMES_HELP,
    add_task_options,
    parse_input,
    parse_networks,
    parse_objectives,
    parse_rungs,
    parse_tables,
    parse_time,
    run_name,
    task_words,
)
from search.latency import TableUse, check_measured, tables_of
from search.progress import progress_for
from search.proposals import family, fixed_trials
from search.samplers import SAMPLERS, sampler
from search.session import Request, Session, default_workers
from space.command_line import parse_count
from space.errors import UserError
from space.tasks import TASKS, task

RUNS = Path("runs")
DEFAULT_TIME = "10m"
# A parameter budget says what may be stored; what is left open, and costs time on a phone, is the work per image. A
# budget in milliseconds says what counts, and the front is then over those.
DEFAULT_OBJECTIVE = "psnr,macs"
DEFAULT_WORDS = f"{DEFAULT_OBJECTIVE}, or psnr and latency@TABLE of every table in the budget"


def add_parser(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("run", help="search networks for a task under a budget")
    parser.add_argument("--task", required=True, help=f"one of {', '.join(TASKS)}")
    parser.add_argument(
        "--budget", required=True, help="such as 200k-params, 11g-macs,128mb-memory or 1300ms@pixel4-a76"
    )
    parser.add_argument("--scale", help="upscaling factor of sr (default: 4)")
    add_task_options(parser)
    parser.add_argument(
        "--input",
        help="WIDTHxHEIGHT of the network input that costs are given for (default: the task's, see: python -m search "
        "list); of RAW frames in packed pixels",
    )
    parser.add_argument(
        "--objective",
        help=f"psnr and any of params, macs, memory, weights, latency@TABLE (default: {DEFAULT_WORDS})",
    )
    parser.add_argument(
        "--networks",
        metavar="NAME[,NAME]",
        help="published networks (see: python -m search list) to train beside those that run with every search",
    )
    parser.add_argument("--latency", metavar="TABLE[,TABLE]", help="latency tables to give milliseconds on besides")
    parser.add_argument("--time", help=f"such as 90s, 10m, 2h (default: {DEFAULT_TIME}, or none with --trials)")
    parser.add_argument("--trials", help="stop after so many searched networks within the budget")
    parser.add_argument(
        "--rungs", help="training steps of each rung (default: fitted to the time), such as 100,300,1000"
    )
    parser.add_argument("--sampler", default="tpe", help=f"one of {', '.join(SAMPLERS)} (default: tpe)")
    parser.add_argument("--seed", default="0", help="of proposals, weights and patches (default: 0)")
    parser.add_argument(
        "--specialists",
        help="the most networks that may share a range of noise levels, chosen by a picture's known level (default: 4; "
        "1: one network for all)",
    )
    parser.add_argument("--workers", help="training processes (default: one per core)")
    parser.add_argument("--device", help="cpu, cuda or cuda:N (default: cuda where present)")
    parser.add_argument("--precision", default="auto", help=PRECISION_HELP)
    parser.add_argument("--train-data", type=Path, help="folder of images (default: embedded photographs)")
    parser.add_argument("--val-data", type=Path, help="folder of images (default: embedded photographs)")
    parser.add_argument("--frames", type=Path, help=FRAMES_HELP)
    parser.add_argument("--run-dir", type=Path, help="where the run is kept (default: runs/TASK-OPTIONS-BUDGET)")
    parser.add_argument("--json", action="store_true", help="print the front as JSON at the end")
    parser.set_defaults(execute=execute)


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
    name = f"{run_name(rules)}-{budget.text.replace(',', '_')}"
    return Request(
        task=wanted,
        rules=rules,
        budget=budget,
        objectives=objectives,
        input_size=parse_input(options.input, wanted, scale),
        sampler=options.sampler,
        seed=parse_count("--seed", options.seed, 0),
        folder=options.run_dir or RUNS / name,
        time_s=parse_time(time_text) if time_text else None,
        trials=parse_count("--trials", options.trials, 1) if options.trials else None,
        workers=parse_count("--workers", options.workers, 1) if options.workers else default_workers(options.device),
        rungs=parse_rungs(options.rungs) if options.rungs else None,
        train_folder=options.train_data,
        val_folder=options.val_data,
        frames_folder=options.frames,
        device=options.device,
        precision=options.precision,
        command="python -m search " + shlex.join(sys.argv[1:]),
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
                f"error: stopped, {problem}; no finished trial is lost: free some space and give the same "
                "command again",
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
                f"{request.time_s / 60:g} minutes" if request.time_s else "",
                f"{request.trials} networks" if request.trials else "",
            ),
        )
    )
    beside = _beside(session)
    times = "".join(f"  milliseconds on {table.name}: predicted for {table.caption}\n" for table in request.tables)
    note = f"  {escape(session.precision_note)}\n" if session.precision_note else ""
    levels = (
        f"  up to {settings.specialists} networks share the noise levels, chosen by a picture's known level "
        "(--specialists 1: one for all)\n"
        if settings.specialists > 1
        else ""
    )
    return (
        f"[bold]{request.task.title}[/bold] ({request.rules.title}) under {request.budget.text}, "
        f"objectives {', '.join(request.objectives)}"
        f"{' (the default)' * request.has_default_objective}, for {limits}\n"
        f"  costs at an input of {width}x{height}, fp32; sampler {request.sampler}, seed {request.seed}, "
        f"{request.workers} worker{'s' * (request.workers > 1)}\n"
        f"{beside}"
        f"{times}{levels}"
        f"  training in {session.precision.word} ({escape(session.precision.reason)})\n"
        f"{note}"
        f"  training on {settings.train_data}; measuring on {settings.val_data}\n"
        f"  run folder {request.folder}"
    )


def _beside(session: Session) -> str:
    """Which published networks are trained under the same protocol, and which were asked for in vain."""
    request = session.request
    trials = list(fixed_trials(request.task, session.settings, request.budget))
    names = dict.fromkeys(family(record.source) for record in trials if record.status != "failed")
    left_out = [name for name in request.networks if name not in {family(record.source) for record in trials}]
    lines = [f"beside the search: {', '.join(names)}"] if names else []
    lines += [f"over the budget, so not trained: {', '.join(left_out)}"] if left_out else []
    return "".join(f"  {line}\n" for line in lines)
