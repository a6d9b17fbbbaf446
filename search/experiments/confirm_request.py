"""What ``confirm`` is asked for, and the number of steps that it comes to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from evaluators.training.precision import choose_precision
from search.environment import threads_of
from search.experiments.confirm_data import run_pictures
from search.experiments.confirmation import Confirmation, chosen
from search.experiments.sessions import TrainingSession, default_count
from search.experiments.train_request import parse_steps
from search.experiments.training_data import Pictures
from search.pareto import front_rung
from search.records import RunResult, TrialRecord
from search.request.confirm_options import CONFIRM_OPTIONS
from search.request.train_options import texts_of
from search.request.values import parse_processes, parse_time
from search.sessions.precision import precision_for
from search.storage.deleting import CONFIRM
from space.command_line import parse_count
from space.errors import UserError
from space.files import write_text_atomically

FITTED_FILE = "fitted.json"  # in the folder of the trainings: which steps a time came to
MOST_SEEDS = 100


@dataclass(frozen=True)
class ConfirmRequest:
    """Checked, with nothing written yet.

    ``confirmation`` has one step while ``time_s`` says how long all of it is to take and that is not known in steps.
    ``left_out`` are members of the front that are not trained again. ``note`` is a line to tell of the arithmetic.
    """

    confirmation: Confirmation
    session: TrainingSession
    pictures: Pictures
    time_s: float | None
    left_out: tuple[TrialRecord, ...]
    note: str | None

    @property
    def asked(self) -> dict[str, object]:
        """By which the steps of an earlier session are known again."""
        confirmation = self.confirmation
        return {
            "time_s": self.time_s,
            "seeds": confirmation.seeds,
            "trials": [trial.trial for trial in confirmation.trials],
        }

    def of_steps(self, steps: int) -> ConfirmRequest:
        return replace(self, confirmation=replace(self.confirmation, steps=steps))


def confirm_request(command: str, run: RunResult, folder: Path, options: Mapping[str, object]) -> ConfirmRequest:
    """Read ``options`` (``search.request.confirm_options``) and the pictures of the run in ``folder``.

    Raises:
        UserError: the first that cannot be understood or does not fit; nothing was written.
    """
    texts = texts_of("confirm", CONFIRM_OPTIONS, (), options)
    if "steps" in texts and "time" in texts:
        raise UserError(
            f"confirm takes --steps or --time, got both ({texts['steps']} and {texts['time']}); leave one out"
        )
    seeds = parse_count("--seeds", texts["seeds"], 2, MOST_SEEDS)
    members = parse_count("--members", texts["members"], 1) if "members" in texts else None
    time_s = parse_time(texts["time"]) if "time" in texts else None
    steps = run.settings.rungs[front_rung(run)] if time_s is None else 1
    if "steps" in texts:
        steps = parse_steps(texts["steps"])
    trials, left_out = chosen(run, members)
    precision, note = choose_precision(texts.get("device")), None
    if run.settings.precision:
        precision, note = precision_for(texts.get("device"), "auto", run.settings, folder)
    count = default_count(precision)
    if "side_by_side" in texts:
        count = parse_processes("--side-by-side", texts["side_by_side"], count)
    train, val = (Path(texts[name]) if name in texts else None for name in ("train_data", "val_data"))
    train_spec, val_spec, pictures = run_pictures(run, train, val)
    confirmation = Confirmation(run, trials, seeds, steps, train_spec, val_spec)
    session = TrainingSession(
        folder / CONFIRM, None, precision, count, threads_of(count), time_s, command, reads_anywhere=True
    )
    return ConfirmRequest(confirmation, session, pictures, time_s, left_out, note)


def fitted_before(request: ConfirmRequest) -> int | None:
    """The steps that an earlier session came to for the same time; None where there was none, or it cannot be read."""
    try:
        stored = json.loads((request.session.folder / FITTED_FILE).read_text("utf-8"))
        return int(stored["steps"]) if stored["asked"] == request.asked else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def keep_fitted(request: ConfirmRequest, steps: int) -> None:
    """So that the same command continues the same trainings."""
    request.session.folder.mkdir(exist_ok=True)
    text = json.dumps({"asked": request.asked, "steps": steps}) + "\n"
    write_text_atomically(request.session.folder / FITTED_FILE, text)
