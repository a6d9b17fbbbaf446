"""The command line: ``python -m search COMMAND``. A user's mistake is one line on standard error and exit status 2."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from search.cli import catalogue, cost, evaluate, recost, report, run
from search.cli.parser import Parser, join_values
from search.jobs import DISK_FULL
from space.errors import UserError

COMMANDS = (run, report, recost, cost, evaluate, catalogue)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0 done, 1 nothing or disk full, 2 a mistake, 130 interrupted."""
    parser = Parser(prog="python -m search", description="Pareto fronts of image-restoration networks for phones.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=Parser)
    for command in COMMANDS:
        command.add_parser(commands)
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(join_values(given))
    try:
        return options.execute(options)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        print(
            f"error: {error.strerror}: no finished trial is lost; free some space, give the command again",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        return 130
