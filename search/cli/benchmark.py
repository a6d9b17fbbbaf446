"""``benchmark``: continue the table of trainings that cheap signals are compared with."""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import chain
from pathlib import Path

from latency_tables.cli.console import Console
from reports.benchmark.page import write_signals
from search.cli.experiments import run_session, session_of
from search.experiments.benchmark import Benchmark, opened
from search.experiments.benchmark_designs import BENCHMARKS
from search.experiments.benchmark_inherited import completed_inherited
from search.experiments.benchmark_proxies import completed_proxies
from search.experiments.sessions import TrainingSession, artifacts_of
from search.experiments.training import Begun
from search.experiments.working_precision import in_working_precision
from search.request.values import written_folder
from search.sessions.deadline import Deadline
from search.sessions.interrupts import noted_interrupts
from space.errors import UserError

THREADS = 1  # of each training, so that the seconds of one table compare


def execute(options: argparse.Namespace) -> int:
    if options.task not in BENCHMARKS:
        raise UserError(f"unknown benchmark task {options.task!r}; known: {', '.join(BENCHMARKS)}")
    folder = written_folder("--out", options.out or Path("runs") / f"benchmark-{options.task}")
    session = session_of(options, folder)
    console = Console()
    benchmark = opened(folder, BENCHMARKS[options.task])
    if options.list:
        for line in _lines(benchmark):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        return 0
    if options.signals:
        for name in completed_proxies(benchmark):
            console.print(f"zero-cost proxies of {name}", highlight=False, markup=False, soft_wrap=True)
        write_signals(benchmark, f"python -m search benchmark --task {options.task} --out {folder}")
        console.print(f"page: {folder / 'README.md'}", highlight=False, soft_wrap=True)
        return 0
    if options.inherited:
        return _inherit(benchmark, session, console)
    session = replace(session, folder=benchmark.trainings_folder, threads=THREADS)
    benchmark.write_costs()
    benchmark.write_quality()
    _, status = run_session(benchmark.waiting(), session, console, lambda _record: benchmark.write_quality())
    console.print(f"tables: {folder}", highlight=False, soft_wrap=True)
    return status


def _inherit(benchmark: Benchmark, session: TrainingSession, console: Console) -> int:
    """Continue ``inherited.csv``; Ctrl-C ends it with what is whole."""
    session, failed = in_working_precision(benchmark.trainings(), session)
    deadline = Deadline() if session.time_s is None else Deadline(session.time_s)
    with noted_interrupts() as interrupted:
        told = completed_inherited(benchmark, session.precision, lambda: interrupted() or deadline.is_over)
        for line in chain((failed,) if failed else (), told):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
    return 130 if interrupted() else 0


def _lines(benchmark: Benchmark) -> list[str]:
    """What is done of each training."""
    waiting, lines = set(benchmark.waiting()), []
    for training in benchmark.trainings():
        begun = Begun.read(artifacts_of(training, benchmark.trainings_folder))
        state = "done" if training not in waiting else f"step {begun.step:,}" if begun else "waiting"
        lines.append(f"{state:12} {training.name}, {training.steps:,} steps, seed {training.seed}")
    return lines
