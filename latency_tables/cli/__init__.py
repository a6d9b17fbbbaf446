"""The command line: ``python -m latency_tables COMMAND``. A mistake is one line on standard error and exit status 2."""

from __future__ import annotations

from collections.abc import Sequence

from space.command_line import Command, run_command

COMMANDS = tuple(
    Command(name, help_line, f"latency_tables.cli.{module}", f"latency_tables.cli.{module}:execute")
    for name, module, help_line in (
        ("list", "catalogue", "the tables that ship, with device, engine and how well they predict"),
        ("show", "show", "one table's figures and where they come from"),
        ("predict", "predict", "a network's milliseconds on one table, operator by operator"),
        ("measure", "measure", "time the operators of a task's networks on your device"),
        ("validate", "validate", "run random networks whole on the device and compare"),
        ("calibrate", "calibrate", "a table for your board from a few whole-network timings"),
        ("fit", "fit", "refit the shipped tables of published phones, and show how well they predict unseen networks"),
    )
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 2 a mistake, 130 interrupted."""
    return run_command(
        "python -m latency_tables",
        "Latency tables of phone CPUs: what is in them, what they predict, and how to make one.",
        COMMANDS,
        arguments,
    )
