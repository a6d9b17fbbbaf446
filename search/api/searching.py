"""A search from its request to the run that it leaves: checked, shown while it goes on, finished with its reports."""

from __future__ import annotations

from collections.abc import Callable

from latency_tables.cli.console import Console
from search.api.outputs import write_outputs
from search.api.run import Run, load
from search.durations import duration_text
from search.interrupts import noted_interrupts
from search.progress import progress_for
from search.proposals import family, fixed_trials
from search.session import Request, Session
from space.logs import LOG_FILE


class StoppedError(RuntimeError):
    """The machine did not let a search go on (disk, memory); no finished trial is lost, and the same call continues."""


def search_for(
    request: Request, console: Console | None, stop: Callable[[], bool] = lambda: False, owns_process: bool = False
) -> Run:
    """Search until the request is met, it is interrupted or ``stop()``; leave all reports in the run's folder.

    Args:
        console: where it says what it understood and how it goes; None to say nothing.
        owns_process: see ``search.interrupts``.

    Raises:
        UserError: the request cannot be met; the existing run stays as it was.
        StoppedError: trouble of the machine.
    """
    session = Session(request)
    _say(console, understood(session))
    if session.is_finished:
        _say(console, "This run is finished; a longer --time or more --trials continues it.")
    else:
        with noted_interrupts(owns_process) as interrupted, progress_for(console, session.settings) as listener:
            problem = session.search(listener, lambda: interrupted() or stop())
        if problem:
            raise StoppedError(
                f"stopped: {problem}; no finished trial is lost, and the same command continues (more in "
                f"{request.folder / LOG_FILE})"
            )
    run = load(request.folder)
    if run.trained:
        write_outputs(run.result, run.folder, session.val, session.frames)
    return run


def _say(console: Console | None, text: str) -> None:
    if console is not None:
        console.print(text, highlight=False)


def understood(session: Session) -> str:
    """What was asked for, and what was made of it, in lines."""
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
    names = dict.fromkeys(family(record.source) for record in trials if record.status != "failed")
    left_out = [name for name in request.networks if name not in {family(record.source) for record in trials}]
    lines = [f"beside the search: {', '.join(names)}"] if names else []
    lines += [f"over the budget, so not trained: {', '.join(left_out)}"] if left_out else []
    return "".join(f"  {line}\n" for line in lines)
