"""The arithmetic that a run is trained in: as asked for, as begun, or what a first step shows to work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from evaluators.training.precision import Precision, choose_precision
from search.records import RunSettings
from search.request.budget import Budget
from search.sessions.first_step import designs, tried
from space.errors import UserError
from space.tasks import Task


def precision_for(
    device: str | None, wanted: str, begun: RunSettings | None, folder: Path
) -> tuple[Precision, str | None]:
    """What to train in, and the line to tell if it is not what this machine would choose.

    A run goes on in the arithmetic in which it was begun, wherever it goes on: results of one rung are compared, and
    bfloat16 runs, slowly, on every processor.

    Args:
        wanted: a value of ``--precision``.
        begun: the settings of the run to continue, if any.

    Raises:
        UserError: another arithmetic than the run's is asked for by name, or as ``choose_precision``.
    """
    chosen = choose_precision(device, wanted)
    if begun is None:
        return chosen, None
    if wanted not in ("auto", begun.trained_in):
        raise UserError(
            f"run {folder} was made with --precision {begun.trained_in}, got {wanted}; use --run-dir for a new run"
        )
    recorded = replace(Precision.from_dict(begun.precision), device=chosen.device)
    if recorded.name == chosen.name:
        return recorded, None
    return recorded, f"training goes on in {begun.trained_in}, as the run was begun; here it would be {chosen.name}"


def checked(
    precision: Precision, task: Task, settings: RunSettings, budget: Budget, continues: bool
) -> tuple[Precision, str | None]:
    """``precision``, or float32 and the line that says why, if a first step shows that it does not work here.

    Raises:
        UserError: it does not work, and the run that is continued was begun in it.
    """
    if precision.autocast is None:
        return precision, None
    found, failed = tried(precision, ((arch, settings.rules) for arch in designs(task, settings, budget)))
    if failed and continues:
        raise UserError(
            f"a run begun in {precision.name} must go on in it, got a machine that cannot: {failed}; continue it "
            "elsewhere, or use --run-dir for a new run"
        )
    return found, failed
