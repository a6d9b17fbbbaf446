"""The command line: ``python -m latency_tables COMMAND``. A mistake is one line on standard error and exit status 2."""

from __future__ import annotations

from collections.abc import Sequence

from latency_tables.cli import calibrate, catalogue, fit, measure, predict, show, validate
from space.command_line import run_command

COMMANDS = (catalogue, show, predict, measure, validate, calibrate, fit)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 2 a mistake, 130 interrupted."""
    return run_command(
        "python -m latency_tables",
        "Latency tables of phone CPUs: what is in them, what they predict, and how to make one.",
        COMMANDS,
        arguments,
    )
