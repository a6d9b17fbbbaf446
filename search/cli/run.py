"""``run``: search, show progress, and leave the front with weights, plots and a page."""

from __future__ import annotations

import argparse
import shlex
import sys

from evaluators.images.names import printable
from latency_tables.cli.console import Console
from search.cli.interrupts import noted_interrupts
from search.cli.output import finish
from search.durations import duration_text
from search.progress import progress_for
from search.proposals import family, fixed_trials
from search.request import Request, request_from_options
from search.run_options import RUN_OPTIONS
from search.session import Session, check_and_read
from space.logs import LOG_FILE


def request_of(options: argparse.Namespace) -> Request:
    """What the options ask for, and the command that was typed.

    Raises:
        UserError: the first option that cannot be understood.
    """
    command = printable("python -m search " + shlex.join(sys.argv[1:]))
    return request_from_options(command, **{option.key: getattr(options, option.key) for option in RUN_OPTIONS})


def execute(options: argparse.Namespace) -> int:
    session = check_and_read(request_of(options))
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
    width, height = settings.input_size
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
    times = "".join(f"  milliseconds on {table.name}: predicted for {table.caption}\n" for table in settings.tables)
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
        f"objectives {', '.join(settings.objectives)}"
        f"{' (the default)' * request.has_default_objective}, for {limits}\n"
        f"  costs at an input of {width}x{height}, fp32; sampler {settings.sampler}, seed {settings.seed}, "
        f"{settings.workers} worker{'s' * (settings.workers > 1)}\n"
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
    names = dict.fromkeys(family(record.source) for record in trials if record.status != "failed")
    left_out = [name for name in session.settings.networks if name not in {family(record.source) for record in trials}]
    lines = [f"beside the search: {', '.join(names)}"] if names else []
    lines += [f"over the budget, so not trained: {', '.join(left_out)}"] if left_out else []
    return "".join(f"  {line}\n" for line in lines)
