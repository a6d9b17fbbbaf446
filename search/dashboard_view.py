"""A run as Optuna's dashboard shows it best: one study per rung, with final figures, architectures and pictures.

In the run's own storage a trial is closed after its first rung, and its values are those of that rung. A dashboard on
it contradicts the page. So what is shown is a copy in memory: the run's journal is only read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import optuna
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from search.pareto import front, front_rung, loss
from search.records import RunResult, Status, TrialRecord
from search.storage.study import Study
from search.storage.trial_attributes import directions, short_attributes
from space.files import write_text_atomically

PICTURES = ("strip-*.png", "pareto.png")  # of a run's folder


def dashboard_view(study: Study, run: RunResult, folder: Path, artifacts: Path) -> InMemoryStorage:
    """Studies ``NAME, after 400 steps`` of all trials that reached that rung, the front's rung first.

    Trials that were not trained are in the study of the rung that they were proposed for. Every trial has its short
    attributes, the PSNR of all its rungs among them, and its architecture as an artifact; the front's members have the
    pictures of ``folder``.

    Args:
        artifacts: an empty folder for copies of architectures and pictures, which must stay while the view is used.
    """
    storage, store = InMemoryStorage(), FileSystemArtifactStore(artifacts)
    stored = {trial.number: trial for trial in study.trials()}
    top = front_rung(run)
    rungs = [rung for rung in range(len(run.settings.rungs)) if any(t.at_rung(rung) for t in run.trials)]
    for rung in sorted(rungs, key=lambda rung: (rung != top, rung)):
        shown = _new_study(run, rung, storage)
        members = {member.trial for member in front(run)} if rung == top else set()
        for record in run.trials:
            if record.at_rung(rung) is not None or (rung == record.first_rung and not record.rungs):
                pictures = sorted(path for form in PICTURES for path in folder.glob(form))
                kept = pictures if record.trial in members else ()
                _add(shown, stored[record.trial], record, rung, run, store, artifacts, kept)
    return storage


def _new_study(run: RunResult, rung: int, storage: InMemoryStorage) -> optuna.Study:
    objectives, steps = run.settings.objectives, run.settings.rungs[rung]
    study = optuna.create_study(
        storage=storage,
        study_name=f"{run.name}, after {steps:,} steps",
        directions=directions(objectives),
        sampler=optuna.samplers.RandomSampler(),
    )
    study.set_metric_names([f"PSNR dB after {steps:,} steps" if name == "psnr" else name for name in objectives])
    described = {"task": run.settings.rules.title, "budget": run.settings.budget, "command": run.command}
    for name, value in described.items():
        study.set_user_attr(name, value)
    return study


def _add(
    study: optuna.Study,
    stored: FrozenTrial,
    record: TrialRecord,
    rung: int,
    run: RunResult,
    store: FileSystemArtifactStore,
    artifacts: Path,
    pictures: Sequence[Path],
) -> None:
    """Add one trial: it is open while things are attached, for a closed one cannot be changed."""
    study.add_trial(
        create_trial(
            state=TrialState.RUNNING,
            params=stored.params,
            distributions=stored.distributions,
            user_attrs={"trial": record.trial, "status": record.status, **short_attributes(record)},
            constraints=stored.constraints,
        )
    )
    open_trial = study.get_trials(deepcopy=False)[-1]
    trial = optuna.trial.Trial(study, open_trial._trial_id)
    described = artifacts / f"architecture-{record.trial}.json"
    write_text_atomically(described, json.dumps(record.architecture.to_dict(), indent=1) + "\n")
    for path in (described, *pictures):
        upload_artifact(artifact_store=store, file_path=str(path), study_or_trial=trial)
    described.unlink()
    if record.at_rung(rung) is not None:
        objectives = run.settings.objectives
        signs = [-1 if direction == "maximize" else 1 for direction in directions(objectives)]
        values = [sign * loss(record, rung, name) for sign, name in zip(signs, objectives, strict=True)]
        study.tell(trial, values)
    elif record.status != Status.RUNNING:
        study.tell(trial, state=TrialState.FAIL if record.status == Status.FAILED else TrialState.PRUNED)
