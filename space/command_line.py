"""What all command lines share: one-line errors, options spelt out in full, common value parsers."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import sys
import textwrap
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pkgutil import resolve_name
from typing import Any, NoReturn

from space.errors import UserError
from space.logs import VERBOSE, forget_log, is_verbose, keep_traceback, shown_log
from space.os_errors import exit_status, first_line, os_error_line, shared_memory_line
from space.terminal import drop, flush_or_drop, prepare_streams, print_error

INTERNAL_ERROR = 70  # EX_SOFTWARE of sysexits.h

SMALLEST_PX, LARGEST_PX = 8, 8192
LARGEST_COUNT = 2**53  # of which a float still tells neighbours apart
VERSION_UNKNOWN = "(not installed)"
_FLAGS = {
    "--json",
    "--help",
    "-h",
    "--verbose",
    "--version",
    "--all",
    "--list",
    "--counts-only",
    "--self-ensemble",
    "--from-scratch",
    "--tensorboard",
    "--overwrite",
    "--int8",
}


@dataclass(frozen=True)
class Command:
    """A command by name, with one line of help.

    ``options`` is the module with ``add_options(parser)``, ``DESCRIPTION`` and ``EXAMPLES``, imported only for the
    command that is used. ``execute`` (``module:function``) takes the parsed options and returns the exit status; it is
    imported after the command line has been parsed.
    """

    name: str
    help: str
    options: str
    execute: str


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Leaves the lines of descriptions as they are, and the names of values whole, which have hyphens."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(" ".join(text.split()), width, break_on_hyphens=False)


class Parser(argparse.ArgumentParser):
    """An ``argparse`` parser with one-line errors and without abbreviated options."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=HelpFormatter, **options)

    def shorten_usage(self) -> None:
        """Show only required arguments in the usage line; options are listed below it, in groups."""
        words = [self.prog]
        for action in self._actions:
            value = str(action.metavar or action.dest.upper())
            if not action.option_strings:
                words.append({"*": f"[{value} ...]", "?": f"[{value}]"}.get(str(action.nargs), value))
            elif action.required:
                words.append(f"{action.option_strings[-1]} {value}")
        self.usage = " ".join([*words, "[options]"])

    def error(self, message: str) -> NoReturn:
        print_error(f"{message} (see: {self.prog} --help)")
        sys.exit(2)


def parser_for(prog: str, description: str, commands: Sequence[Command], arguments: Sequence[str]) -> Parser:
    """A parser for all ``commands``, with the options of the one that ``arguments`` name."""
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
        chosen.add_argument(
            "--verbose", action="store_true", help="print the log, and the traceback of an internal error"
        )
        chosen.shorten_usage()
    return parser


def _wrapped(text: str) -> str:
    """For ``HelpFormatter``, which leaves lines as they are."""
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
    prog: str, description: str, commands: Sequence[Command], arguments: Sequence[str] | None, reassurance: str = ""
) -> int:
    """Run the command that ``arguments`` name; return the exit status.

    0: success, 1: trouble with the machine, 2: user error, 70: internal error, 130: interrupted. Every error is one
    line on standard error; the traceback of an internal error goes to a log, and with ``--verbose`` also to the
    terminal. ``reassurance`` is appended to the line about the machine.
    """
    prepare_streams()
    arguments = join_values(list(sys.argv[1:] if arguments is None else arguments))
    if any("\0" in argument for argument in arguments):
        print_error("an argument must be text, got one with a NUL character")
        return 2
    if empty := next((word[:-3] for word in arguments if re.fullmatch("--[a-z-]+=--", word)), None):
        print_error(f"{empty} must have a value, got '--'")  # argparse takes it for the end of the options
        return 2
    options = parser_for(prog, description, commands, arguments).parse_args(arguments)
    execute = next(command.execute for command in commands if command.name == options.command)
    forget_log()
    try:
        with shown_log() if options.verbose else contextlib.nullcontext():
            with starting():
                run = resolve_name(execute)
            status = run(options)
            flush_or_drop()
            return status
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        if (options.verbose or is_verbose()) and not isinstance(error, UserError | BrokenPipeError):
            traceback.print_exc()
        return _told(error, reassurance)


def _told(error: Exception, reassurance: str) -> int:
    """Print the one line of ``error``; returns the exit status."""
    if isinstance(error, UserError):
        line, status = str(error), 2
    elif isinstance(error, BrokenPipeError):
        drop(sys.stdout)  # nobody reads the output any longer (``| head``)
        return 1
    elif isinstance(error, OSError):
        status = exit_status(error)
        line = os_error_line(error) + reassurance * (status == 1)
    elif isinstance(error, MemoryError):
        line, status = f"out of memory: {first_line(error) or 'an allocation failed'}; close other programs", 1
    elif shared_memory := shared_memory_line(error):
        line, status = shared_memory, 1
    else:
        line, status = _internal(error), INTERNAL_ERROR
    print_error(line)
    return status


def _internal(error: Exception) -> str:
    log = keep_traceback(error)
    text = first_line(error)
    where = f"the traceback is in {log}" if log else f"set {VERBOSE}=1 to see the traceback"
    return f"internal error: {type(error).__name__}{': ' * bool(text)}{text}; {where}"


@contextlib.contextmanager
def starting() -> Iterator[None]:
    """In a terminal, say at once that the program has started, since torch takes seconds to load."""
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
    """Rewrite ``--option -5`` as ``--option=-5``, because argparse would take the value for an option."""
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
