"""``run``: search, show progress, and leave the front with weights, plots and a page."""

from __future__ import annotations

import argparse
import shlex
import sys

from evaluators.images.names import escaped_name
from latency_tables.cli.console import Console
from search.api.searching import StoppedError, search_for
from search.cli.output import show
from search.request.options import RUN_OPTIONS
from search.request.request import Request, request_from_options


def request_of(options: argparse.Namespace) -> Request:
    """What the options ask for, and the command that was typed.

    Raises:
        UserError: the first option that cannot be understood.
    """
    command = escaped_name("python -m search " + shlex.join(sys.argv[1:]))
    return request_from_options(command, **{option.key: getattr(options, option.key) for option in RUN_OPTIONS})


def execute(options: argparse.Namespace) -> int:
    console = Console(stderr=True) if options.json else Console()
    try:
        run = search_for(request_of(options), console, owns_process=True)
    except StoppedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return show(run, console, 130 if run.state == "interrupted" else 0, as_json=options.json)
