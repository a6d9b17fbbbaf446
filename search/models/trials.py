"""Networks of a run's trials, by the names that its page shows: ``RUN#TRIAL`` and ``RUN#TRIAL@RUNG``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from evaluators.compression.compression import UNCOMPRESSED
from evaluators.compression.int8.network import with_ranges
from evaluators.quality import Quality
from search.candidates.compressed import root_of
from search.models.about import About, Origin, metrics_row
from search.models.files import network_with
from search.models.model import Model
from search.models.task_options import fitted
from search.pareto import front_rung
from search.records import RungResult, RunResult, TrialRecord
from search.storage.artifacts import LocalArtifacts, kept_weights_name, measured_weights_name
from search.storage.run_files import read_run
from search.storage.runs_here import run_folder
from search.workers.jobs import training_seed
from space.errors import UserError
from space.weights import read_stored

_TRIAL = re.compile(r"(?P<trial>[0-9]{1,9})(?:@(?P<rung>[0-9]{1,3}))?")


def model_of_spec(spec: str, scale: int | None, task_options: Mapping[str, Any] | None) -> Model:
    """The model that ``RUN#TRIAL`` or ``RUN#TRIAL@RUNG`` names; RUN is a path or a name below ``runs/``.

    Raises:
        UserError: there is no such run, trial or rung, or its weights were deleted.
    """
    head, _, tail = spec.rpartition("#")
    match = _TRIAL.fullmatch(tail)
    if not head or match is None:
        raise UserError(
            f"a trial must be named RUN#TRIAL or RUN#TRIAL@RUNG, by the numbers on the run's page, got {spec!r}; for "
            "example mine#6 or mine#6@2"
        )
    folder = run_folder(head)
    rung = int(match["rung"]) - 1 if match["rung"] else None
    return trial_model(read_run(folder), folder, int(match["trial"]), rung, scale, task_options)


def trial_model(
    run: RunResult,
    folder: Path,
    number: int,
    rung: int | None = None,
    scale: int | None = None,
    task_options: Mapping[str, Any] | None = None,
) -> Model:
    """The network of a trial with the averaged weights of ``rung``, counted from 0.

    None is the rung that the front is made of or, where the trial has not reached it, its highest. The run may still
    be searching.

    Raises:
        UserError: there is no such trial or rung, it was never trained, or its weights were deleted.
    """
    record = next((each for each in run.trials if each.trial == number), None)
    if record is None:
        raise UserError(f"trial must be one of the {len(run.trials)} of {run.name}, got {number}")
    if not record.rungs:
        why = f": {record.reason}" if record.reason else ""
        raise UserError(
            f"trial must be one that was trained, got {number} of {run.name}, which is {record.status}{why}"
        )
    result = record.rungs[-1] if rung is None else record.at_rung(rung)
    if rung is None:
        result = record.at_rung(front_rung(run)) or record.rungs[-1]
    if result is None:
        known = ", ".join(str(each.rung + 1) for each in record.rungs)
        raise UserError(f"rung must be one that trial {number} of {run.name} reached ({known}), got {(rung or 0) + 1}")
    name = f"{run.name}#{number}" + (f"@{rung + 1}" if rung is not None else "")
    path = stored_weights(record, folder, result.rung)
    if path is None:
        raise UserError(_deleted(run, record, folder, result.rung))
    rules = fitted(name, run.settings.rules, scale, task_options, record.architecture.shape.specialists)
    network = network_with(record.architecture, path)
    return Model(name, network, rules, record.architecture, True, _facts(run, folder, record, result, path))


def trained_network(record: TrialRecord, folder: Path, rung: int) -> nn.Module | None:
    """The network of a trial in eval mode with its averaged weights of ``rung``, in the number format in which it was
    measured; None if they were deleted.

    Raises:
        UserError: the file cannot be read, or its weights belong to another network.
    """
    path = stored_weights(record, folder, rung)
    if path is None:
        return None
    network = network_with(record.architecture, path)
    about = About.read(read_stored(path).metadata, str(path))
    ranges = about.facts.get("int8_ranges") if about is not None else None
    return network if ranges is None else with_ranges(network, ranges, record.compression.float_layers)


def stored_weights(record: TrialRecord, folder: Path, rung: int) -> Path | None:
    """The file with the averaged weights of ``rung``: as measured or, where that is gone, the front's copy of them."""
    artifacts = LocalArtifacts(folder)
    measured = artifacts.get(measured_weights_name(record.trial, rung))
    if measured is not None:
        return measured
    copy = artifacts.get(kept_weights_name(record.trial))
    return copy if copy is not None and _rung_of(copy) in (None, rung) else None


def _rung_of(path: Path) -> int | None:
    """The rung, from 0, that a weights file says it was measured on; None of older files."""
    about = About.read(read_stored(path).metadata, str(path))
    rung = about.facts.get("training", {}).get("rung") if about is not None else None
    return None if rung is None else int(rung) - 1


def _environment(path: Path) -> dict[str, str]:
    """Of the session that wrote a weights file, which may have run elsewhere than where the run began; {} of older
    files."""
    about = About.read(read_stored(path).metadata, str(path))
    return dict(about.facts.get("training", {}).get("environment", {})) if about is not None else {}


def _deleted(run: RunResult, record: TrialRecord, folder: Path, rung: int) -> str:
    there = [each.rung for each in record.rungs if stored_weights(record, folder, each.rung) is not None]
    known = ", ".join(f"{run.name}#{record.trial}@{each + 1}" for each in there)
    return (
        f"the weights of trial {record.trial} of {run.name} at rung {rung + 1} must be in {folder}, got none: they "
        + (f"were deleted; there are {known}" if there else "were deleted, as were those of its other rungs")
    )


def _facts(run: RunResult, folder: Path, record: TrialRecord, result: RungResult, path: Path) -> dict[str, Any]:
    settings = run.settings
    quality = Quality(result.psnr_db, result.ssim, {}, result.others_db)
    root = root_of(record, {each.trial: each for each in run.trials})
    shared_steps = 0 if root.family is None else settings.rungs[root.first_rung]
    origin = Origin.of(folder, settings)
    facts = replace(origin, environment=_environment(path) or origin.environment).facts(
        trial=record.trial,
        rung=result.rung,
        steps=result.steps,
        seed=training_seed(settings.seed, record.architecture.key),
        plan=settings.plan.after(shared_steps).to_dict(),
        metrics=metrics_row(settings.rules, settings.val_data, quality),
        shared_steps=shared_steps,
    )
    made = {} if record.compression == UNCOMPRESSED else {"compression": record.compression.to_dict()}
    if record.parent is not None:
        made["compression"]["parent"] = f"{run.name}#{record.parent}"
    return {**facts, **made, "weights": path.name}
