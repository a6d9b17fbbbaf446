"""A run's front trained again with several seeds: ``search.confirm``."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from latency_tables.cli.console import Console
from reports.run.confirm_files import confirm_frame, write_confirmed
from reports.run.confirmed import ConfirmedFront, changes, confirmed_front, network_name, repeated_of
from reports.run.next_steps import run_argument
from reports.run.picking import NOTHING_YET
from search.api.confirm_steps import fitted, say
from search.api.listed_options import command_line, with_options
from search.api.outputs import write_outputs
from search.api.run import Run, load
from search.api.searching import StoppedError
from search.durations import duration_text
from search.experiments.confirm_request import ConfirmRequest, confirm_request
from search.experiments.event_lines import EventLines
from search.experiments.sessions import Outcome, run_trainings
from search.experiments.training import Training, TrainingRecord
from search.experiments.training_data import DATA_FOLDER
from search.experiments.working_precision import in_working_precision
from search.request.confirm_options import CONFIRM_OPTIONS
from search.sessions.interrupts import noted_interrupts
from space.errors import UserError
from space.logs import LOG_FILE


@dataclass(frozen=True)
class ConfirmedRun:
    """What ``search.confirm`` returns: ``front`` over the means of what is finished, None where nothing is yet.

    ``left`` are the trainings that are not finished, ``failed`` the reasons of those that failed; the same call goes on
    with both. ``is_interrupted``: Ctrl-C, or ``stop``, ended it.
    """

    run: Run
    front: ConfirmedFront | None
    left: tuple[Training, ...] = ()
    failed: tuple[str, ...] = ()
    is_interrupted: bool = False

    @property
    def table(self) -> pd.DataFrame:
        """The rows of ``confirm.csv``, cheapest first: mean, standard deviation, and the ties on the front.

        Raises:
            UserError: nothing is finished yet.
        """
        if self.front is None:
            raise UserError(f"{self.run.result.name} must have a finished training of confirm, got none yet")
        return confirm_frame(self.front)

    @property
    def changes(self) -> tuple[str, ...]:
        """In sentences: what counts as a tie, which members stay on the front, and which fell off."""
        return () if self.front is None else changes(self.run.result, self.front)


def confirm(
    run: Run | Path | str, *, progress: bool = True, stop: Callable[[], bool] = lambda: False, **options: object
) -> ConfirmedRun:
    """Train the front of ``run``, and the published networks beside it, again from random weights with several seeds.

    All are trained for the same number of steps by the run's plan on the run's pictures, and measured on its validation
    pictures. ``confirm.csv`` and the page in the run's folder say what came out. The same call continues what was
    interrupted or killed; more seeds add to those that are done.

    >>> import search
    >>> confirmed = search.confirm("runs/example", seeds=2, steps=2, progress=False)
    >>> [network.repeated.seeds for network in confirmed.front.networks]
    [2]
    >>> {"trial", "seeds", "psnr_db", "sd_db", "on_front", "tied_with"} <= set(confirmed.table.columns)
    True
    >>> confirmed.changes[0].startswith("Seeds spread by")
    True

    Args:
        run: or its folder, a path or a name below ``runs/``. It must not be running.
        progress: whether to print what was understood, and a line for every training.
        stop: called several times a second; True interrupts, with checkpoints.

    Raises:
        UserError: an option is invalid or does not fit, there is no front, or pictures are not the run's.
        StoppedError: trouble with the machine (disk, memory, GPU); the same call continues.
    """
    loaded = load(run.folder if isinstance(run, Run) else run)
    command = command_line("confirm", run_argument(loaded.folder), CONFIRM_OPTIONS, {}, options)
    return confirm_for(loaded, command, options, Console() if progress else None, stop)


def confirm_for(
    run: Run,
    command: str,
    options: dict[str, object],
    console: Console | None,
    stop: Callable[[], bool] = lambda: False,
    owns_process: bool = False,
) -> ConfirmedRun:
    """As ``confirm``, of a run that is loaded; ``command`` is what records say made them."""
    if run.state == "running":
        raise UserError(f"{run.result.name} must not be running, got a run that is searching; wait for it or stop it")
    if not run.trained:
        raise UserError(NOTHING_YET.format(run.result.name))
    request = confirm_request(command, run.result, run.folder, options)
    say(console, understood(request))
    with noted_interrupts(owns_process) as interrupted:

        def ends() -> bool:
            return interrupted() or stop()

        of_steps = fitted(request, console, ends)
        if of_steps is None:
            return ConfirmedRun(run, None, request.confirmation.trainings(), is_interrupted=True)
        request = _in_working_precision(of_steps, console)
        lines = EventLines(console, lambda _record: _written(run, request))
        outcome = run_trainings(request.confirmation.trainings(), request.session, lines, ends, request.pictures)
        was_ended = ends() and bool(outcome.left)
    if not outcome.left:
        shutil.rmtree(request.session.folder / DATA_FOLDER, ignore_errors=True)
    return _finished(run, request, outcome, was_ended)


def _finished(run: Run, request: ConfirmRequest, outcome: Outcome, was_ended: bool) -> ConfirmedRun:
    """With table and page of what there is.

    Raises:
        StoppedError: trouble with the machine ended the session.
    """
    confirmed = _written(run, request)
    if confirmed is not None:
        confirmation = request.confirmation
        write_outputs(run.result, run.folder, request.pictures[confirmation.validation, True])
    if outcome.problem:
        raise StoppedError(
            f"stopped: {outcome.problem}; no finished training is lost, and the same command continues (more in "
            f"{request.session.folder / LOG_FILE})"
        )
    failed = tuple(f"{training.name}, seed {training.seed}: {reason}" for training, reason in outcome.failed.items())
    return ConfirmedRun(run, confirmed, outcome.left, failed, was_ended)


def _written(run: Run, request: ConfirmRequest) -> ConfirmedFront | None:
    """The front over what is finished now, in ``confirm.csv`` too; None where nothing is."""
    confirmation, session, repeated = request.confirmation, request.session, []
    first = run.settings.seed
    for trial in confirmation.trials:
        trainings = [confirmation.training(trial, first + index) for index in range(confirmation.seeds)]
        records = [TrainingRecord.read(session.artifacts_of(training)) for training in trainings]
        measured = [record for record in records if record is not None and record.validation is not None]
        if measured:
            repeated.append(repeated_of(run.result, trial, measured))
    if not repeated:
        return None
    confirmed = confirmed_front(run.result, repeated)
    write_confirmed(confirmed, run.folder)
    return confirmed


def understood(request: ConfirmRequest) -> str:
    """Which networks, how often, for how long, on what, in lines."""
    confirmation, session = request.confirmation, request.session
    run, trials = confirmation.run, confirmation.trials
    first = run.settings.seed
    length = (
        f"{confirmation.steps:,}" if request.time_s is None else f"as many as {duration_text(request.time_s)} carry"
    )
    lines = [
        f"{run.name} again: {len(trials)} network{'s'[: len(trials) != 1]} from random weights, seeds {first} to "
        f"{first + confirmation.seeds - 1}, steps of each training: {length}",
        f"  networks: {', '.join(map(network_name, trials))}",
        f"  training in {session.precision.name} on {session.precision.device}, {session.count} side by side; "
        f"trained on {run.settings.train_data}, measured on {run.settings.val_data}",
    ]
    if request.left_out:
        lines.append(f"  left out, as made of others' weights: {', '.join(map(network_name, request.left_out))}")
    return "\n".join((*lines, *([f"  {request.note}"] if request.note else [])))


def _in_working_precision(request: ConfirmRequest, console: Console | None) -> ConfirmRequest:
    """In float32 where a first step shows that the run's arithmetic does not work here."""
    session = request.session
    trainings = request.confirmation.trainings()
    waiting = [each for each in trainings if TrainingRecord.read(session.artifacts_of(each)) is None]
    session, failed = in_working_precision(waiting, session)
    if failed:
        say(console, failed)
    return replace(request, session=session)


with_options(confirm, CONFIRM_OPTIONS, {})
