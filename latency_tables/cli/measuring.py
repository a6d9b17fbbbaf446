"""Options that ``measure`` and ``validate`` share: the device, the engine, and how to time on it."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from latency_tables.cli.console import Console
from latency_tables.measuring.engines import ENGINES, engine_format
from latency_tables.measuring.measure import Harness
from latency_tables.measuring.rounds import Protocol
from latency_tables.measuring.targets.session import Session
from latency_tables.measuring.targets.target import FORMS, open_session
from space.command_line import parse_count, parse_size
from space.errors import UserError
from space.tasks import TASKS, Task, task

MOST_THREADS, MOST_ROUNDS = 1024, 10_000


def add_device_options(parser: argparse.ArgumentParser, rounds: int, needs_task: bool = True) -> None:
    parser.add_argument("--engine", required=True, help=f"one of {', '.join(ENGINES)}")
    parser.add_argument("--target", required=True, help=FORMS)
    parser.add_argument("--task", required=needs_task, help=f"one of {', '.join(TASKS)}")
    parser.add_argument("--scale", help="upscaling factor (default: the task's)")
    parser.add_argument("--input", help="WIDTHxHEIGHT of the network input (default: the task's)")
    parser.add_argument("--threads", default="1", help="default: 1")
    parser.add_argument("--cores", help="pin to these, such as 7 or 4,5 (default: leave it to the system)")
    parser.add_argument("--rounds", default=str(rounds), help=f"of timings, interleaved (default: {rounds})")
    parser.add_argument("--remote-python", help="command that starts Python on a host over ssh (default: python3)")
    parser.add_argument("--benchmark-binary", type=Path, help="the engine's own program, for a phone over adb")
    parser.add_argument("--engine-version", help="of that program")


def protocol_from(options: argparse.Namespace, **changes: Any) -> Protocol:
    rounds = parse_count("--rounds", options.rounds, 1, MOST_ROUNDS)
    return Protocol(
        parse_count("--threads", options.threads, 1, MOST_THREADS),
        _parse_cores(options.cores),
        rounds,
        rounds + rounds // 2,
        **changes,
    )


def _parse_cores(text: str | None) -> tuple[int, ...]:
    if text is None:
        return ()
    if not re.fullmatch(r"[0-9]{1,3}(,[0-9]{1,3})*", text):
        raise UserError(f"--cores must be core numbers joined by commas, got {text!r}; for example 4,5")
    return tuple(sorted({int(core) for core in text.split(",")}))


def question_from(options: argparse.Namespace) -> tuple[Task, int, tuple[int, int]]:
    """The task, its scale and the input size."""
    chosen = task(options.task)
    scale = parse_count("--scale", options.scale, 1) if options.scale else chosen.default_scale
    chosen.shape(scale)
    size = parse_size("--input", options.input) if options.input else chosen.input_sizes[scale]
    return chosen, scale, size


@contextmanager
def open_harness(options: argparse.Namespace, protocol: Protocol, differential: bool = False) -> Iterator[Harness]:
    """A session that is closed again, whatever happens."""
    engine = engine_format(options.engine)
    engine.require()
    session: Session = open_session(
        options.target,
        options.engine,
        protocol.cores,
        protocol.threads,
        remote_python=options.remote_python,
        benchmark_binary=options.benchmark_binary,
        engine_version=options.engine_version,
    )
    try:
        yield Harness(session, engine, protocol, differential)
    finally:
        session.close()


@contextmanager
def shown_progress(console: Console, what: str) -> Iterator[Callable[[int], Callable[[str], None]]]:
    """``progress(total)`` for ``latency_tables.measuring.measure``."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as progress:

        def begin(total: int) -> Callable[[str], None]:
            bar = progress.add_task(what, total=total)
            return lambda key: progress.advance(bar)

        yield begin
