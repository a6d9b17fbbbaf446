"""Reading a run's folder, and deleting checkpoints that are no longer useful."""

from __future__ import annotations

import math
from pathlib import Path

from search.records import RunResult
from search.rungs import ranked
from search.storage.artifacts import ArtifactStore, checkpoint_name
from search.storage.note_names import ELAPSED_S, PREDICTED, PRUNED_S
from search.storage.shared_notes import shared_weights
from search.storage.study import Study
from space.errors import UserError


def read_run(folder: Path) -> RunResult:
    """Read the run in ``folder``.

    Raises:
        UserError: there is no run, or it cannot be read.
    """
    study = Study.open(folder, owned=False)
    if study is None:
        raise UserError(f"{folder} must hold a run, got no journal there; see: python -m search list")
    return result_of(study, folder)


def result_of(study: Study, folder: Path) -> RunResult:
    """The run in ``folder`` from its open study."""
    baseline = study.noted("baseline") or {"psnr_db": math.nan}
    sessions, done = tuple(study.noted("sessions", ())), study.noted("done") or {}
    return RunResult(
        name=folder.resolve().name,
        settings=study.settings,
        trials=tuple(sorted(study.records.values(), key=lambda record: record.trial)),
        baseline_psnr_db=baseline["psnr_db"],
        elapsed_s=study.noted(ELAPSED_S, 0.0),
        command=study.noted("command", ""),
        sessions=sessions,
        baseline_others_db=baseline.get("others_db", {}),
        classical_baselines_db=study.noted("classical_baselines", {}),
        stopped_train_s=study.noted("stopped_train_s", 0.0),
        pruning_s=study.noted(PRUNED_S, 0.0),
        shared=shared_weights(study),
        predicted=tuple(study.stored(PREDICTED, (0, 0))),
        is_finished=bool(sessions) and done.get("sessions") == len(sessions),
    )


def drop_checkpoints(study: Study, artifacts: ArtifactStore) -> None:
    """Delete checkpoints that are least likely to be continued: searched trials in the worse half of a rung.

    If one is promoted after all, it is trained again from its seed, to the same weights.
    """
    records = [
        record for record in study.records.values() if record.rungs and not record.is_fixed and not record.follows
    ]
    for rung in range(len(study.settings.rungs)):
        here = [record for record in records if record.next_rung == rung + 1]
        if here:
            for record in ranked(here, rung, study.settings.objectives)[(len(here) + 1) // 2 :]:
                artifacts.delete(checkpoint_name(record.trial))
