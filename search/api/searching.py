"""A search from request to reports: check the request, show progress, write the reports."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Iterable, Mapping

from evaluators.images.names import escaped_name
from latency_tables.cli.console import Console
from search.api.outputs import write_outputs
from search.api.run import Run, load
from search.api.understood import understood
from search.request.options import RUN_OPTIONS, Option
from search.request.request import Request, request_from_options
from search.sessions.interrupts import noted_interrupts
from search.sessions.progress import progress_for
from search.sessions.session import check_and_read
from space.logs import LOG_FILE


class StoppedError(RuntimeError):
    """The search stopped for lack of disk space or memory; no finished trial is lost, the same call continues it."""


def run(
    task: str, budget: str, *, progress: bool = True, stop: Callable[[], bool] = lambda: False, **options: object
) -> Run:
    """Search networks for ``task`` under ``budget``; the run and all its reports are saved in the run's folder.

    The same call continues an interrupted run; a longer ``time`` or more ``trials`` extend a finished one. Ctrl-C, or a
    notebook's stop button, saves everything, ends the search and returns the run so far; so does ``stop()`` when it
    returns True, which may depend on another thread. Training runs in separate processes that do not import the calling
    program: ``if __name__ == "__main__"`` is not needed.

    >>> import search
    >>> run = search.run(
    ...     task="sr", budget="4k-params", trials=1, rungs=(2,), workers=1, run_dir="runs/example", progress=False
    ... )
    >>> len(run.trained)
    1

    Args:
        task: a key of ``space.TASKS``.
        budget: limits joined by commas, such as ``"200k-params,1300ms@pixel4-a76"``.
        progress: whether to print the request as understood and show progress: a panel in a terminal or a notebook,
            lines elsewhere.
        stop: called several times a second.

    Raises:
        UserError: an option is invalid or cannot be met; an existing run is left unchanged.
        StoppedError: trouble with the machine (disk, memory, GPU).
    """
    given = {"task": task, "budget": budget, **options}
    request = request_from_options(_command(given), **given)
    return search_for(request, Console() if progress else None, stop)


def _described(options: Iterable[Option]) -> str:
    """The options of a run as ``help(search.run)`` lists them."""
    lines = [f"        {option.key}: {option.help}." for option in options if not option.required]
    return "\n".join(["", "    Options, as Python values or as text as on the command line:", *lines, "    "])


def _signature(function: Callable[..., Run], options: Iterable[Option]) -> inspect.Signature:
    """That of ``function`` with the names of ``options``, which notebooks and shells complete."""
    own = inspect.signature(function)
    named = [each for each in own.parameters.values() if each.kind is not each.VAR_KEYWORD]
    more = [
        inspect.Parameter(option.key, inspect.Parameter.KEYWORD_ONLY, default=option.default)
        for option in options
        if not option.required
    ]
    return own.replace(parameters=[*named, *more])


run.__doc__ = f"{run.__doc__ or ''}{_described(RUN_OPTIONS)}"
vars(run)["__signature__"] = _signature(run, RUN_OPTIONS)


def _command(options: Mapping[str, object]) -> str:
    """The command line that makes the same request."""
    given = [option for option in RUN_OPTIONS if options.get(option.key) is not None]
    words = [word for option in given for word in (f"--{option.name}", option.text(options[option.key]))]
    return escaped_name("python -m search run " + shlex.join(map(str, words)))


def search_for(
    request: Request, console: Console | None, stop: Callable[[], bool] = lambda: False, owns_process: bool = False
) -> Run:
    """Search until the request is met, the search is interrupted or ``stop()`` is True; write all reports.

    Args:
        console: where to print the request as understood and the progress; None for no output.
        owns_process: see ``search.sessions.interrupts``.

    Raises:
        UserError: the request cannot be met; an existing run is left unchanged.
        StoppedError: trouble with the machine.
    """
    session = check_and_read(request)
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
        write_outputs(run.result, run.folder, session.data.val, session.data.frames)
    return run


def _say(console: Console | None, text: str) -> None:
    if console is not None:
        console.print(text, highlight=False)
