"""The command line: ``python -m search COMMAND``. A user's mistake is one line on standard error and exit status 2."""

from __future__ import annotations

from collections.abc import Sequence

from search.cli import catalogue, cost, evaluate, queue, recost, report, reproduce, run, study
from search.jobs import DISK_FULL
from space.command_line import run_command
from space.terminal import print_error

COMMANDS = (run, report, recost, cost, evaluate, reproduce, study, queue, catalogue)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 nothing or disk full, 2 a mistake, 130 interrupted."""
    return run_command(
        "python -m search",
        "Pareto fronts of image-restoration networks for phones.",
        COMMANDS,
        arguments,
        on_os_error=_disk_full,
    )


def _disk_full(error: OSError) -> int:
    if error.errno not in DISK_FULL:
        raise error
    print_error(f"{error.strerror}: no finished trial is lost; free some space, give the command again")
    return 1
