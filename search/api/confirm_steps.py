"""How many steps the trainings of ``confirm`` have, where a time is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from latency_tables.cli.console import Console
from search.durations import duration_text
from search.experiments.confirm_request import ConfirmRequest, fitted_before, keep_fitted
from search.experiments.confirmation import recorded_step_s, steps_within
from search.experiments.sessions import time_steps
from space.errors import UserError


def fitted(request: ConfirmRequest, console: Console | None, ends: Callable[[], bool]) -> ConfirmRequest | None:
    """With the steps that fit the time asked for; None if interrupted while steps were timed.

    Raises:
        UserError: not even one step fits.
    """
    time_s, confirmation = request.time_s, request.confirmation
    if time_s is None:
        return request
    before = fitted_before(request)
    if before is not None:
        say(console, f"{before:,} steps of each, as {duration_text(time_s)} came to before")
        return request.of_steps(before)
    known = {trial.trial: recorded_step_s(trial) for trial in confirmation.trials}
    found = {number: seconds for number, seconds in known.items() if seconds is not None}
    source = "by the run's records"
    if len(found) < len(known):
        timed = _timed(request, ends)
        if timed is None:
            return None
        found, source = {**timed, **found}, "the dearest of those that the run has no time of was timed"
    steps = steps_within(confirmation, time_s, request.session.count, found)
    mean_s = sum(found.values()) / len(found)
    if steps < 1:
        raise UserError(
            f"--time must carry at least one step, of {mean_s:.2g} s on average, of {len(confirmation.trainings())} "
            f"trainings, and their measuring, got {duration_text(time_s)}; give it longer, or fewer --members"
        )
    say(
        console,
        f"{duration_text(time_s)} carry {steps:,} steps of each of {len(confirmation.trainings())} trainings, at "
        f"{mean_s:.3g} s a step on average ({source})",
    )
    keep_fitted(request, steps)
    return request.of_steps(steps)


def _timed(request: ConfirmRequest, ends: Callable[[], bool]) -> dict[int, float] | None:
    """Seconds of a step of the trials that the run has no time of: that of the one with most MACs is measured, and the
    others are taken to need as much for a MAC. None if interrupted."""
    confirmation, folder = request.confirmation, request.session.folder
    unknown = [trial for trial in confirmation.trials if recorded_step_s(trial) is None]
    dearest = max(unknown, key=lambda trial: trial.costs.macs)
    folder.mkdir(exist_ok=True)
    with TemporaryDirectory(dir=folder, prefix=".timed") as beside:
        session = replace(request.session, folder=Path(beside))
        training = confirmation.training(dearest, confirmation.run.settings.seed)
        timed = time_steps(training, session, request.pictures, ends)
    if timed is None:
        return None
    return {trial.trial: timed.step_s * trial.costs.macs / dearest.costs.macs for trial in unknown}


def say(console: Console | None, text: str) -> None:
    if console is not None:
        console.print(text, highlight=False, soft_wrap=True)
