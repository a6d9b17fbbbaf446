"""What ``reproduce``, ``queue``, ``ablation`` and ``benchmark`` share: options, a session, progress lines."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from evaluators.images.names import escaped_name
from evaluators.training.precision import choose_precision
from latency_tables.cli.console import Console
from search.environment import threads_of
from search.experiments.event_lines import EventLines
from search.experiments.sessions import Outcome, TrainingSession, default_count, run_trainings
from search.experiments.training import Training, TrainingRecord
from search.experiments.working_precision import in_working_precision
from search.request.values import parse_processes, parse_time, written_folder
from search.sessions.interrupts import noted_interrupts
from space.logs import LOG_FILE


def session_of(options: argparse.Namespace, folder: Path) -> TrainingSession:
    precision = choose_precision(options.device, options.precision)
    count = default_count(precision)
    if options.side_by_side is not None:
        count = parse_processes("--side-by-side", options.side_by_side, count)
    return TrainingSession(
        written_folder("--out", folder),
        options.data,
        precision,
        count,
        threads_of(count),
        parse_time(options.time) if options.time else None,
        escaped_name("python -m search " + shlex.join(sys.argv[1:])),
    )


def run_session(
    trainings: Sequence[Training],
    session: TrainingSession,
    console: Console,
    on_finished: Callable[[TrainingRecord], object] = lambda _record: None,
) -> tuple[Outcome, int]:
    """Run them with a line per event; the outcome and the exit status. Ctrl-C stops with checkpoints.

    ``on_finished`` is called with each training that this session finishes, at once.
    """
    session = _checked(trainings, session, console)
    with noted_interrupts() as interrupted:
        outcome = run_trainings(trainings, session, EventLines(console, on_finished), interrupted)
    console.print(
        f"{len(outcome.finished)} of {len(trainings)} trainings are finished"
        + (f", {len(outcome.failed)} failed" if outcome.failed else "")
        + ("; the same command continues" if outcome.left else ""),
        highlight=False,
    )
    if outcome.problem:
        print(
            f"error: stopped: {outcome.problem}; no finished training is lost, and the same command continues (more in "
            f"{session.folder / LOG_FILE})",
            file=sys.stderr,
        )
        return outcome, 1
    return outcome, 130 if interrupted() else 1 if outcome.failed else 0


def _checked(trainings: Sequence[Training], session: TrainingSession, console: Console) -> TrainingSession:
    """``session`` in the precision that a first step of the narrowest and the widest network shows to work."""
    records = {each: TrainingRecord.read(session.artifacts_of(each)) for each in trainings}
    others = [record for record in records.values() if record and record.trained_in != session.precision.name]
    if others and session.precision.asked:
        console.print(
            f"{len(others)} of these are finished in another precision than {session.precision.name} and stay so; "
            "another --out trains them again",
            highlight=False,
            soft_wrap=True,
        )
    waiting = [training for training, record in records.items() if record is None]
    session, failed = in_working_precision(waiting, session)
    if failed:
        console.print(failed, highlight=False, markup=False, soft_wrap=True)
    return session
