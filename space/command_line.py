"""What every command line of the project does alike: one-line errors, whole options, values read the same way."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import sys
import traceback
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from space.errors import UserError
from space.logs import VERBOSE, forget_log, is_verbose, keep_traceback
from space.os_errors import exit_status, first_line, os_error_line, shared_memory_line

INTERNAL_ERROR = 70  # EX_SOFTWARE of sysexits.h

SMALLEST_PX, LARGEST_PX = 8, 8192
_FLAGS = {"--json", "--help", "-h"}


class Parser(argparse.ArgumentParser):
    """As argparse, but an error is one line and no option may be shortened."""

    def __init__(self, **options: object) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        print(f"error: {message} (see: {self.prog} --help)", file=sys.stderr)
        sys.exit(2)


def run_command(
    prog: str,
    description: str,
    commands: Sequence[ModuleType],
    arguments: Sequence[str] | None,
    reassurance: str = "",
) -> int:
    """Run the command that ``arguments`` name; returns the exit status.

    0 done, 1 the machine's trouble, 2 a mistake, 70 an error of ours, 130 interrupted. Whatever goes wrong is one line
    on standard error; an error of ours leaves its traceback in a log. Each of ``commands`` is a module with
    ``add_parser(commands)``, which sets ``execute``. ``reassurance`` ends the line of the machine's trouble.
    """
    parser = Parser(prog=prog, description=description)
    choices = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for command in commands:
        command.add_parser(choices)
    options = parser.parse_args(join_values(list(sys.argv[1:] if arguments is None else arguments)))
    forget_log()
    try:
        return options.execute(options)
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if not isinstance(error, UserError) and (is_verbose() or getattr(options, "verbose", False)):
            traceback.print_exc()
        return _told(error, reassurance)


def _told(error: Exception, reassurance: str) -> int:
    """Print the one line of ``error``; returns the exit status."""
    if isinstance(error, UserError):
        line, status = str(error), 2
    elif isinstance(error, BrokenPipeError):
        # Whoever read the output has gone; nothing more may be written, not even when Python ends.
        with contextlib.suppress(OSError, ValueError):  # a standard output that is no file
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as a program that SIGPIPE ends
    elif isinstance(error, OSError):
        status = exit_status(error)
        line = os_error_line(error) + reassurance * (status == 1)
    elif isinstance(error, MemoryError):
        line, status = f"out of memory: {first_line(error) or 'an allocation failed'}; close other programs", 1
    elif shared_memory := shared_memory_line(error):
        line, status = shared_memory, 1
    else:
        line, status = _internal(error), INTERNAL_ERROR
    print(f"error: {line}", file=sys.stderr)
    return status


def _internal(error: Exception) -> str:
    log = keep_traceback(error)
    text = first_line(error)
    where = f"the traceback is in {log}" if log else f"set {VERBOSE}=1 to see the traceback"
    return f"internal error: {type(error).__name__}{': ' * bool(text)}{text}; {where}"


def join_values(arguments: Sequence[str]) -> list[str]:
    """Write ``--option -5`` as ``--option=-5``: argparse would take the value for an option."""
    joined: list[str] = []
    for argument in arguments:
        waits = joined and joined[-1].startswith("--") and "=" not in joined[-1] and joined[-1] not in _FLAGS
        if waits and re.match(r"-[\d.]", argument):
            joined[-1] += "=" + argument
        else:
            joined.append(argument)
    return joined


def parse_count(option: str, text: str, least: int) -> int:
    """A whole number that is at least ``least``."""
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or value < least:
        raise UserError(f"{option} must be a whole number of at least {least}, got {text!r}")
    return value


def parse_size(option: str, text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT in pixels."""
    match = re.fullmatch(r"(\d+)x(\d+)", text.strip().lower())
    if match is None or not all(SMALLEST_PX <= int(side) <= LARGEST_PX for side in match.groups()):
        raise UserError(
            f"{option} must be WIDTHxHEIGHT in pixels, each {SMALLEST_PX} to {LARGEST_PX}, got {text!r}; "
            "for example 320x180"
        )
    return int(match[1]), int(match[2])
