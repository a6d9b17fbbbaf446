"""What every command line of the project does alike: one-line errors, whole options, values read the same way."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pkgutil import resolve_name
from typing import NoReturn

from space.errors import UserError

SMALLEST_PX, LARGEST_PX = 8, 8192
VERSION_UNKNOWN = "(not installed)"
_FLAGS = {"--json", "--help", "-h", "--version", "--all", "--list", "--counts-only", "--self-ensemble"}


@dataclass(frozen=True)
class Command:
    """A command by name, with one line of help.

    ``options`` is the module with its ``add_options(parser)``, ``DESCRIPTION`` and ``EXAMPLES``; it is imported when
    the command is named. ``execute`` (``module:function``) takes the parsed options and gives the exit status; it is
    imported when the command line has been read.
    """

    name: str
    help: str
    options: str
    execute: str


class Parser(argparse.ArgumentParser):
    """As argparse, but an error is one line and no option may be shortened."""

    def __init__(self, **options: object) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def shorten_usage(self) -> None:
        """Only what must be given: the options stand below, in their groups."""
        words = [self.prog]
        for action in self._actions:
            value = str(action.metavar or action.dest.upper())
            if not action.option_strings:
                words.append(f"[{value} ...]" if action.nargs == "*" else value)
            elif action.required:
                words.append(f"{action.option_strings[-1]} {value}")
        self.usage = " ".join([*words, "[options]"])

    def error(self, message: str) -> NoReturn:
        print(f"error: {message} (see: {self.prog} --help)", file=sys.stderr)
        sys.exit(2)


def parser_for(prog: str, description: str, commands: Sequence[Command], arguments: Sequence[str]) -> Parser:
    """A parser of all ``commands``, with the options of the one that ``arguments`` name."""
    parser = Parser(prog=prog, description=_wrapped(description))
    parser.add_argument("--version", action="version", version=f"litefront {installed_version()}")
    choices = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    named = next((word for word in arguments if not word.startswith("-")), None)
    for command in commands:
        if command.name != named:
            choices.add_parser(command.name, help=command.help)
            continue
        module = import_module(command.options)
        chosen = choices.add_parser(
            command.name,
            help=command.help,
            description=_wrapped(getattr(module, "DESCRIPTION", command.help)),
            epilog=_examples(getattr(module, "EXAMPLES", ())),
        )
        module.add_options(chosen)
        chosen.shorten_usage()
    return parser


def _wrapped(text: str) -> str:
    """For ``RawDescriptionHelpFormatter``, which leaves lines as they are."""
    return textwrap.fill(text, max(20, shutil.get_terminal_size().columns - 2))


def _examples(examples: Sequence[tuple[str, str]]) -> str | None:
    if not examples:
        return None
    lines = [f"  {command}\n      {meaning}" for command, meaning in examples]
    return "\n".join(["examples:", *lines])


def installed_version() -> str:
    try:
        return version("litefront")
    except PackageNotFoundError:
        return VERSION_UNKNOWN


def run_command(
    prog: str,
    description: str,
    commands: Sequence[Command],
    arguments: Sequence[str] | None,
    on_os_error: Callable[[OSError], int] | None = None,
) -> int:
    """Run the command that ``arguments`` name; returns the exit status: 2 for a mistake, 130 when interrupted.

    ``on_os_error`` may turn an operating system's error into a status, or raise it again.
    """
    arguments = join_values(list(sys.argv[1:] if arguments is None else arguments))
    options = parser_for(prog, description, commands, arguments).parse_args(arguments)
    execute = next(command.execute for command in commands if command.name == options.command)
    try:
        with starting():
            run = resolve_name(execute)
        return run(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if on_os_error is None:
            raise
        return on_os_error(error)
    except KeyboardInterrupt:
        return 130


@contextmanager
def starting() -> Iterator[None]:
    """In a terminal, say at once that the program is there: torch takes seconds to load."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    text = "starting ..."
    print(text, end="", file=sys.stderr, flush=True)
    try:
        yield
    finally:
        print("\r" + " " * len(text) + "\r", end="", file=sys.stderr, flush=True)


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
