"""What every command line of the project does alike: one-line errors, whole options, values read the same way."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import NoReturn

from space.errors import UserError
from space.terminal import drop, flush_or_drop, prepare_streams, print_error

SMALLEST_PX, LARGEST_PX = 8, 8192
LARGEST_COUNT = 2**53  # of which a float still tells neighbours apart
_FLAGS = {"--json", "--help", "-h"}


class Parser(argparse.ArgumentParser):
    """As argparse, but an error is one line and no option may be shortened."""

    def __init__(self, **options: object) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        print_error(f"{message} (see: {self.prog} --help)")
        sys.exit(2)


def run_command(
    prog: str,
    description: str,
    commands: Sequence[ModuleType],
    arguments: Sequence[str] | None,
    on_os_error: Callable[[OSError], int] | None = None,
) -> int:
    """Run the command that ``arguments`` name; returns the exit status: 2 for a mistake, 130 when interrupted.

    Each of ``commands`` is a module with ``add_parser(commands)``, which sets ``execute``. ``on_os_error`` may turn
    an operating system's error into a status, or raise it again.
    """
    prepare_streams()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if any("\0" in argument for argument in arguments):
        print_error("an argument must be text, got one with a NUL character")
        return 2
    parser = Parser(prog=prog, description=description)
    choices = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for command in commands:
        command.add_parser(choices)
    options = parser.parse_args(join_values(arguments))
    try:
        status = options.execute(options)
        flush_or_drop()
        return status
    except UserError as error:
        print_error(error)
        return 2
    except BrokenPipeError:  # nobody reads the output any longer (``| head``)
        drop(sys.stdout)
        return 1
    except OSError as error:
        if on_os_error is None:
            raise
        return on_os_error(error)
    except KeyboardInterrupt:
        return 130


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


def parse_count(option: str, text: str, least: int, most: int = LARGEST_COUNT) -> int:
    """A whole number from ``least`` to ``most``."""
    try:
        value = int(text)
    except ValueError:
        value = None
    if value is None or value < least:
        raise UserError(f"{option} must be a whole number of at least {least}, got {text!r}")
    if value > most:
        raise UserError(f"{option} must be a whole number of at most {most}, got {text!r}")
    return value


def parse_size(option: str, text: str) -> tuple[int, int]:
    """WIDTHxHEIGHT in pixels."""
    match = re.fullmatch(r"([0-9]{1,9})x([0-9]{1,9})", text.strip().lower())
    if match is None or not all(SMALLEST_PX <= int(side) <= LARGEST_PX for side in match.groups()):
        raise UserError(
            f"{option} must be WIDTHxHEIGHT in pixels, each {SMALLEST_PX} to {LARGEST_PX}, got {text!r}; "
            "for example 320x180"
        )
    return int(match[1]), int(match[2])
