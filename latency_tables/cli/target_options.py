"""The options that say which device is measured, the same in every command that measures."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from latency_tables.targets.session import Session
from latency_tables.targets.target import FORMS, open_session
from space.command_line import parse_count
from space.errors import UserError


def add_target_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", required=True, metavar="litert|mnn")
    parser.add_argument("--target", default="local", metavar="TARGET", help=f"{FORMS}; default: local")
    parser.add_argument("--threads", default="1", metavar="N", help="default: 1")
    parser.add_argument("--cores", default="", metavar="LIST", help="pin to these, for example 7 or 4-6; default: all")
    parser.add_argument(
        "--remote-python", metavar="COMMAND", help="what starts Python on an ssh host; default: python3"
    )
    parser.add_argument(
        "--benchmark-binary", type=Path, metavar="PATH", help="the engine's program for a phone (see MEASURING.md)"
    )
    parser.add_argument("--engine-version", metavar="TEXT", help="of that program; default: its SHA-256")


def parse_cores(text: str) -> tuple[int, ...]:
    """Cores in a list such as ``7`` or ``0,4-6``, ascending; empty means any.

    Raises: UserError.
    """
    cores: set[int] = set()
    for part in filter(None, text.split(",")):
        found = re.fullmatch(r"\s*(\d{1,3})(?:-(\d{1,3}))?\s*", part)
        if not found or int(found[2] or found[1]) < int(found[1]):
            raise UserError(f"--cores must be core numbers such as 7 or 0,4-6, got {text!r}")
        cores.update(range(int(found[1]), int(found[2] or found[1]) + 1))
    return tuple(sorted(cores))


def session_of(options: argparse.Namespace) -> Session:
    """The session that the options ask for.

    Raises: UserError.
    """
    cores, threads = parse_cores(options.cores), parse_count("--threads", options.threads, 1)
    if cores and threads > len(cores):
        raise UserError(f"--threads must be at most the number of cores, {len(cores)}, got {threads}")
    return open_session(
        options.target, options.engine, cores, threads, remote_python=options.remote_python,
        benchmark_binary=options.benchmark_binary, engine_version=options.engine_version,
    )  # fmt: skip
